/** Which of the overlays that belong to no page are open. */
class Overlays {
  palette = $state(false);
  shortcuts = $state(false);

  /** From the moment one is asked for, also while its file is still on the way. */
  get open(): boolean {
    return this.palette || this.shortcuts;
  }
}

export const overlays = new Overlays();

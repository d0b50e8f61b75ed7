/** Which of the overlays that belong to no page are open. */
class Overlays {
  palette = $state(false);
  shortcuts = $state(false);
}

export const overlays = new Overlays();

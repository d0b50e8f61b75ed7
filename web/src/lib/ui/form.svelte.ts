import { fieldErrors, sentence } from '$lib/api/problem';

/** The state of a form that is sent: busy, a general problem, and problems of single fields. */
export class Form {
  busy = $state(false);
  problem = $state<string | null>(null);
  fields = $state<Record<string, string>>({});

  /** Runs the work of a submit; true when it succeeded. The general sentence is left out when fields tell it all. */
  async submit(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.problem = null;
    this.fields = {};
    try {
      await work();
      return true;
    } catch (error) {
      this.fields = fieldErrors(error);
      this.problem = sentence(error);
      return false;
    } finally {
      this.busy = false;
    }
  }

  reset(): void {
    this.problem = null;
    this.fields = {};
  }
}

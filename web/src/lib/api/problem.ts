import { t } from '$lib/i18n/t';

interface ProblemBody {
  code?: string;
  detail?: string;
  title?: string;
  request_id?: string;
  errors?: { field: string; code: string; detail: string }[];
}

/**
 * A call that did not succeed. `code` is the server's stable code, or `network` when no answer came
 * (the call may or may not have been carried out); `message` is a sentence for the person.
 */
export class ApiProblem extends Error {
  override name = 'ApiProblem';
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly fields: Record<string, string> = {},
    readonly requestId: string | null = null,
    /** Seconds to wait before trying again, when the server said so. */
    readonly retryAfter: number | null = null,
  ) {
    super(detail);
  }

  /** No answer, or an answer that asks to come back later: the same call may be repeated with its key. */
  get transient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }

  static network(): ApiProblem {
    return new ApiProblem(0, 'network', t('error.network'));
  }

  static from(response: Response, body: unknown): ApiProblem {
    const problem = (typeof body === 'object' && body !== null ? body : {}) as ProblemBody;
    const fields = Object.fromEntries((problem.errors ?? []).map((e) => [e.field, e.detail]));
    const wait = Number(response.headers.get('Retry-After'));
    return new ApiProblem(
      response.status,
      problem.code ?? 'http_' + response.status,
      problem.detail || problem.title || t('error.status', { status: response.status }),
      fields,
      problem.request_id ?? response.headers.get('X-Request-Id'),
      Number.isFinite(wait) && wait > 0 ? wait : null,
    );
  }
}

/** The sentence to show for anything that was thrown. */
export function sentence(error: unknown): string {
  if (error instanceof ApiProblem) return error.message;
  return t('error.unexpected');
}

/** Messages for single form fields, by field name. */
export function fieldErrors(error: unknown): Record<string, string> {
  return error instanceof ApiProblem ? error.fields : {};
}

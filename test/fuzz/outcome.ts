/** What may come of bad input: a result, or a refusal in proper form. Everything else is a failure of the studio. */
import { StudioError } from '../../src/numerics';

export type Outcome =
  | { readonly kind: 'result' }
  | { readonly kind: 'refusal'; readonly code: string; readonly text: string }
  | { readonly kind: 'failure'; readonly text: string };

/** Longest message and hint that a page can show as a sentence. */
const MAX_TEXT = 420;

/** What is wrong with the form of a refusal, or null: one line, one end, a hint. */
export function complaint({ message, hint }: StudioError): string | null {
  if (!/[.!?…]["”)]?$/.test(message)) return 'the message does not end like a sentence';
  if (hint === '') return 'there is no hint';
  if (!/[.!?…]$/.test(hint)) return 'the hint does not end like a sentence';
  for (const [what, text] of Object.entries({ message, hint })) {
    if (/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(text)) return `the ${what} has control characters`;
    if (text.length > MAX_TEXT) return `the ${what} has ${text.length} characters`;
  }
  return null;
}

/** What came of `work`; results that `wrong` finds fault with are failures. */
export async function outcomeOf<T>(work: () => T | Promise<T>, wrong: (result: T) => string | null = () => null): Promise<Outcome> {
  try {
    const fault = wrong(await work());
    return fault === null ? { kind: 'result' } : { kind: 'failure', text: fault };
  } catch (error) {
    if (!(error instanceof StudioError))
      return { kind: 'failure', text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    const fault = complaint(error);
    if (fault === null) return { kind: 'refusal', code: error.code, text: `${error.message} ${error.hint}` };
    return { kind: 'failure', text: `${fault}: [${error.code}] ${JSON.stringify([error.message, error.hint])}\n${error.stack}` };
  }
}

import { Fault } from '../../fault.ts';

/** What came of a question: an answer, or the Fault it ended with. */
export type Attempt<T> = { readonly answer: T } | { readonly fault: Fault };

/** Asks, and takes a Fault for an answer; a signal's and every other error passes. */
export async function attempt<T>(ask: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { answer: await ask() };
  } catch (error) {
    if (!(error instanceof Fault) || error.exit >= 130) throw error;
    return { fault: error };
  }
}

/** The answer, or a value in its place. */
export function answerOr<T, U>(found: Attempt<T>, otherwise: U): T | U {
  return 'answer' in found ? found.answer : otherwise;
}

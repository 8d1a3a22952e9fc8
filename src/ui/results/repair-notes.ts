/** The sentences of the repairs among a run's notes. */

export interface RepairNote {
  /** "least-squares"; the rest of the sentence is for reading. */
  readonly id: string;
  readonly kept: boolean;
  readonly sentence: string;
}

const KEPT = /^([a-z][a-z0-9-]*): (output error on .*)$/;
const LEFT_OUT = /^([a-z][a-z0-9-]*) was left out: (.*)$/;

const capital = (sentence: string) => sentence.charAt(0).toUpperCase() + sentence.slice(1);

/** Splits notes into what the repairs said and the others. */
export function splitRepairNotes(notes: readonly string[]): {
  readonly repairs: readonly RepairNote[];
  readonly others: readonly string[];
} {
  const repairs: RepairNote[] = [];
  const others: string[] = [];
  for (const note of notes) {
    const kept = KEPT.exec(note);
    const found = kept ?? LEFT_OUT.exec(note);
    if (found) repairs.push({ id: found[1]!, kept: kept !== null, sentence: capital(found[2]!) });
    else others.push(note);
  }
  return { repairs, others };
}

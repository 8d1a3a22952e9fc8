/** Names of the parts that a repair cuts a layer, and its values, into. */
export const partName = (name: string, part: number): string => `${name}_part${part}`;

/** The name of what `name` is a part of; the name itself where it is whole. */
export const wholeName = (name: string): string => name.replace(/_part\d+$/, '');

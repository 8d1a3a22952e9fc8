export const graph = {
  graph: {
    colour: 'Colour by',
    quantities: { macs: 'MACs', error: 'Error in INT8', bits: 'Bits', pruned: 'Share pruned', device: 'Device check' },
    least: { macs: 'few', error: '40 dB', bits: '8 bit', pruned: '0 %', device: 'runs' },
    most: { macs: 'many', error: '0 dB', bits: '16 bit', pruned: '100 %', device: 'unsupported' },
    states: { runs: 'runs', 'runs differently': 'runs differently', 'falls back': 'falls back', unsupported: 'unsupported' },
    bits: '{{bits}} bit',
    none: 'Choose a layer: click a box, or use the arrow keys.',
    needsRun: 'Run the recipe to see this.',
    help: 'The network as a graph; arrow keys follow the connections, plus and minus buttons zoom',
    placing: 'Placing the layers…',
  },
} as const;

export const layers = {
  layers: {
    filter: 'Filter layers',
    columns: { name: 'Name', op: 'Operator', shape: 'Shape', parameters: 'Parameters', macs: 'MACs', error: 'SQNR' },
    errorHelp: 'Signal to quantization noise of the layer’s output in the INT8 network; low is bad.',
    facts: 'min {{min}}, max {{max}}, mean {{mean}}, std {{std}}',
    histogram: 'Values of {{name}}',
    noHistogram: 'Calibrate (run the recipe) to see the values of this tensor.',
    clip: 'INT8 range {{lo}} … {{hi}}',
    pick: 'Choose a layer to see its values.',
  },
} as const;

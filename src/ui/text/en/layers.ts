export const layers = {
  layers: {
    filter: 'Filter layers',
    columns: { name: 'Name', op: 'Operator', shape: 'Shape', parameters: 'Parameters', macs: 'MACs', error: 'SQNR' },
    errorHelp: 'Signal to quantization noise of the layer’s output in the INT8 network; low is bad.',
    facts: 'min {{min}}, max {{max}}, mean {{mean}}, std {{std}}',
    histogram: 'Values of {{name}}',
    noHistogram: 'Calibrate (run the recipe) to see the values of this tensor.',
    clip: 'INT8 range {{lo}} … {{hi}}',
    cost: 'clips {{clipped}} %, step {{step}}, SQNR {{sqnr}}',
    tried: 'Tried {{lo}} … {{hi}}',
    own: 'Back to the device’s range',
    try: 'Drag the lines, or use the arrow keys on them, to see what another range would do to these values.',
    ends: { low: 'Lower end of the range', high: 'Upper end of the range' },
    pick: 'Choose a layer to see its values.',
  },
} as const;

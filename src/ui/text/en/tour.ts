export const tour = {
  tour: {
    start: 'Tour',
    title: 'Tour',
    scenes: 'Scenes',
    back: 'Back',
    next: 'Next',
    end: 'End the tour',
    reset: 'Next visitor',
    resetHelp: 'Forgets all models, images and results of this visit, and begins the tour again',
    keys: '← → change the scene, Esc ends the tour.',
    names: { float: 'It works', collapse: 'It collapses', layer: 'The layer', repair: 'Repaired', device: 'To the device' },
    heads: {
      float: 'A detector that works',
      collapse: 'The same detector in INT8',
      layer: 'Which layer is at fault?',
      repair: 'Repaired, still in 8 bits',
      device: 'Pruned, on the webcam, to the device',
    },
    texts: {
      float:
        'This network finds eight kinds of things in drawn scenes. It computes in 32-bit floating point, in this page. Edge devices compute in 8-bit integers: what becomes of it there?',
      collapse:
        'Now every weight and every activation has one scale and 256 steps, as a converter does by default. Drag the divider: at the left the original, at the right INT8.',
      layer:
        'Each layer is quantized alone and measured. At the top is the one that costs most, with the reason and the evidence: channels of very different range share one scale, and the small ones vanish in its first step.',
      repair:
        'Layers are cut into parts with channels of like range, ranges are chosen again, weights behind them solved again. No retraining, no 16 bits; any toolchain can take it.',
      device:
        'A tenth of the multiplications is removed in aligned groups of channels, then the rest is quantized. Hold something in front of the camera, compare both networks, and take the bundle home.',
    },
    outcome: {
      collapse: 'mAP {{before}} → {{after}}.',
      layer: 'The first suspect is {{layer}}.',
      repair: 'mAP {{before}} in float, {{after}} in INT8.',
      device: 'mAP {{before}} → {{after}}, with a tenth less to compute. “Download bundle” has everything for the device’s compiler.',
    },
  },
} as const;

import { hailoDevice } from './hailo';

export const hailo8l = hailoDevice({
  id: 'hailo8l',
  title: 'Hailo-8L',
  hwArch: 'hailo8l',
  line: '3.x',
  loads: { value: ['hailo8l'], mark: 'verified', source: 'hailort v4.23.0, device_internal.cpp' },
  warnings: ['Only files compiled for Hailo-8L load here.', 'Whether 16-bit depthwise layers fit this device at speed is not established.'],
});

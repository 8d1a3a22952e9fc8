/** The bundle's retrain/ folder: a script that trains the bundle's float network on other machines, both networks, a README. */
import { serializeModel } from '../../../onnx';
import type { ModelArtifact } from '../../types';
import { DATA_PY } from './data-py';
import { GRAPH_PY } from './graph-py';
import { LAYERS_PY } from './layers-py';
import { LOSSES_PY } from './losses-py';
import { MAIN_PY } from './main-py';
import { retrainReadme } from './readme';
import { pythonString, type RetrainSettings, retrainSettings } from './settings';
import { startPy } from './start-py';
import { TRAINER_PY } from './trainer-py';
import { VALUES_PY } from './values-py';

/** retrain.py, Python 3.8 or newer; the settings are all that differs between bundles. */
export function retrainScript(settings: RetrainSettings): string {
  return [startPy(pythonString(settings)), LAYERS_PY, VALUES_PY, GRAPH_PY, DATA_PY, LOSSES_PY, TRAINER_PY, MAIN_PY].join('');
}

/**
 * retrain/{retrain.py, README.md, student.onnx, teacher.onnx}; empty where the network takes no image.
 * @param student the compressed float network @param teacher the original, before any step
 */
export function retrainFiles(student: ModelArtifact, teacher: ModelArtifact): ReadonlyMap<string, Uint8Array> {
  const settings = retrainSettings(student, teacher);
  if (!settings) return new Map();
  const text = (value: string) => new TextEncoder().encode(value);
  return new Map([
    ['retrain/retrain.py', text(retrainScript(settings))],
    ['retrain/README.md', text(retrainReadme(settings))],
    ['retrain/student.onnx', serializeModel(student.model)],
    ['retrain/teacher.onnx', serializeModel(teacher.model)],
  ]);
}

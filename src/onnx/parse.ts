/** Reads an ONNX file into the IR. */
import { fromBinary } from '@bufbuild/protobuf';
import { StudioError } from '../numerics';
import { openExternal } from './external';
import { type ModelProto, ModelProtoSchema } from './gen/onnx_pb';
import type { Model } from './graph';
import { keepUnknown, markUnknown, type ReadContext, readGraph } from './read-graph';
import { checkSize } from './size';
import { explainDamage, refuseOtherKinds } from './sniff';
import { checkReferences } from './topology';

export const IR_VERSIONS = { oldest: 3, newest: 13 } as const;
export const OPSETS = { oldest: 7, newest: 23 } as const;

function decode(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch {
    throw explainDamage(bytes);
  }
}

function readOpsets(proto: ModelProto): Record<string, number> {
  const opsets = Object.fromEntries(
    proto.opsetImport.map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain, Number(version)] as const),
  );
  if (proto.opsetImport.length === 0)
    throw new StudioError('bad-file', 'The file names no operator set: it is cut off or damaged.', 'Download or export it again.');
  const opset = opsets[''];
  const { oldest, newest } = OPSETS;
  if (opset !== undefined && (opset < oldest || opset > newest))
    throw new StudioError(
      'unsupported',
      `The model uses opset ${opset}; this studio reads ${oldest} to ${newest}.`,
      `Export it with opset_version=${opset < oldest ? 13 : 17}, or convert it with onnx.version_converter.`,
    );
  return opsets;
}

/** The IR version to go on with: lower than the file's where it is too new but uses nothing that we don't know. */
function acceptIrVersion(irVersion: number, context: ReadContext): number {
  const { oldest, newest } = IR_VERSIONS;
  if (irVersion < oldest)
    throw new StudioError(
      'unsupported',
      `The model is written for ONNX IR ${irVersion}; this studio reads ${oldest} to ${newest}.`,
      'Export it again with a current exporter.',
    );
  if (irVersion <= newest) return irVersion;
  if (context.sawUnknown)
    throw new StudioError(
      'unsupported',
      `The model is written for ONNX IR ${irVersion} and uses features newer than IR ${newest}, the last that this studio's runtime reads.`,
      `Save it again with ir_version = ${newest}.`,
    );
  context.notes.push(`Written for ONNX IR ${irVersion}; lowered to ${newest}, as it uses nothing newer.`);
  return newest;
}

/**
 * @param external files beside the model by name or relative path, for weights kept outside of it
 * @throws StudioError 'bad-file' (not ONNX, cut off), 'bad-model' (contradicts itself), 'unsupported' (version), or
 * 'missing-data' (names the absent files and their sizes)
 */
export function parseModel(bytes: Uint8Array, external?: ReadonlyMap<string, Uint8Array>): Model {
  refuseOtherKinds(bytes);
  checkSize(bytes);
  const proto = decode(bytes);
  if (!proto.graph || proto.irVersion <= 0n) throw explainDamage(bytes);
  const opsets = readOpsets(proto);
  const context: ReadContext = {
    external: openExternal(external),
    names: new Set(),
    notes: [],

    sawUnknown: false,
  };
  markUnknown(context, proto, ...proto.opsetImport);
  const graph = readGraph(proto.graph, context);
  if (opsets[''] === undefined && graph.nodes.some((node) => node.domain === ''))
    throw new StudioError('bad-model', 'The file does not say which version of the ONNX operators it uses.', 'Export the model again.');
  checkReferences(
    graph,
    new Set(),
    proto.graph.sparseInitializer.map((sparse) => sparse.values?.name ?? ''),
  );
  context.external.finish();
  const { trainingInfo, functions, configuration } = proto;
  const rest = keepUnknown(ModelProtoSchema, proto, { trainingInfo, functions, configuration });
  return {
    irVersion: acceptIrVersion(Number(proto.irVersion), context),
    opsets,
    producer: proto.producerName,
    producerVersion: proto.producerVersion,
    domain: proto.domain,
    modelVersion: Number(proto.modelVersion),
    docString: proto.docString,
    metadata: Object.fromEntries(proto.metadataProps.map(({ key, value }) => [key, value])),
    graph,
    ...(rest ? { rest } : {}),
    notes: [...context.external.notes, ...context.notes],
  };
}

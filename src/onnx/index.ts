/** The graph IR: parse, serialize, shape inference, passes. May import numerics only. */
export type { Attribute, Dim, Graph, Model, Node, Tensor, ValueInfo } from './graph';

import { floatToHalf } from '../formats/half.ts'
import { apply, type Graph, type Value } from '../graph/graph.ts'
import { type FloatTensor, floatTensor, mul, type Program } from '../graph/index.ts'
import { roundRows } from '../graph/int8.ts'
import { leaf, type Rule, rewrite } from '../graph/lowering.ts'

/** How a file holds the matrices and kernels of the image tower; what is computed with them is always float32. */
export const WEIGHT_TYPES = ['float32', 'float16', 'int8'] as const
/** One of WEIGHT_TYPES. */
export type WeightType = (typeof WEIGHT_TYPES)[number]

/** A weight in fewer bits, and the operators that make float32 of it. */
const PACKED: Readonly<Record<Exclude<WeightType, 'float32'>, (graph: Graph, name: string, w: FloatTensor) => Value>> =
  {
    float16: (graph, name, { shape, data }) =>
      toFloat(graph.weight(name, { dtype: 'float16', shape, data: floatToHalf(data) })),
    int8: (graph, name, w) => {
      const { codes, scales } = roundRows(w)
      const { shape } = w
      const rows = floatTensor([scales.length, ...shape.slice(1).map(() => 1)], scales)
      return mul(
        toFloat(graph.weight(name, { dtype: 'int8', shape, data: codes })),
        graph.weight(`${name}.scale`, rows),
      )
    },
  }

const toFloat = (x: Value) => apply('Cast', [x], x.shape, 'none', { to: 1 }, 'float32')

/** The same program with the weights of the image tower that it multiplies by in fewer bits. */
export function packWeights(p: Program, type: WeightType): Program {
  if (type === 'float32') return p
  const multiplied = new Set(
    p.nodes.filter(({ op }) => MULTIPLIES.includes(op)).flatMap(({ inputs }) => inputs.map(({ node }) => node)),
  )
  const weight: Rule = (node, _, graph) => {
    const { tensor, name = '' } = node
    const isPacked =
      tensor?.dtype === 'float32' && tensor.shape.length > 1 && name.startsWith('visual.') && multiplied.has(node)
    const [x] = node.outputs
    if (x === undefined) throw new Error('a weight has one output')
    return isPacked ? PACKED[type](graph, name, tensor) : leaf(graph, node, x)
  }
  return rewrite(p, { weight })
}

/** Operators that multiply by a weight, or by one in another shape. */
const MULTIPLIES = ['Conv', 'Gemm', 'MatMul', 'Reshape']

import { ShapeError } from '../errors.ts'
import { add } from './elementwise.ts'
import type { Node, Value } from './graph.ts'
import { sumTo } from './reduction.ts'
import { expand } from './shaping.ts'

/**
 * Reverse-mode differentiation: d loss / d x for each x of `wrt`, as further values of the same graph.
 * Gradients of values used several times are added up; those of broadcast inputs are summed to the input's shape.
 *
 * @param loss a scalar
 * @throws ShapeError when loss is not a scalar, does not depend on an x, or passes an operator without gradient
 */
export function gradients(loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length !== 0) throw new ShapeError(`gradients: the loss is a scalar, not (${loss.shape.join(', ')})`)
  const { graph } = loss
  const count = loss.node.id + 1
  const dependent = dependents(graph.nodes.slice(0, count), wrt)
  const total = new Map<string, Value>([[loss.id, graph.scalar(1)]])

  for (const node of graph.nodes.slice(0, count).reverse()) {
    if (!dependent.has(node) || wrt.some((x) => x.node === node)) continue
    const dys = node.outputs.map((y) => total.get(y.id) ?? null)
    if (dys.every((dy) => dy === null)) continue
    if (node.gradient === 'none') throw new ShapeError(`gradients: ${node.op} has no gradient`)
    for (const [i, dx] of node.gradient(...dys).entries()) {
      const x = node.inputs[i]
      if (dx === null || x === undefined || !dependent.has(x.node)) continue
      const fitted = expand(sumTo(dx, x.shape), x.shape)
      const known = total.get(x.id)
      total.set(x.id, known === undefined ? fitted : add(known, fitted))
    }
  }
  return wrt.map((x) => {
    const dx = total.get(x.id)
    if (dx === undefined) throw new ShapeError(`gradients: the loss does not depend on ${x.node.name ?? x.node.op}`)
    return dx
  })
}

function dependents(nodes: readonly Node[], wrt: readonly Value[]): Set<Node> {
  const found = new Set(wrt.map((x) => x.node))
  for (const node of nodes) {
    if (node.inputs.some((x) => found.has(x.node))) found.add(node)
  }
  return found
}

import { ShapeError } from '../base/errors.ts'
import { add } from './elementwise.ts'
import { expectValues, type Node, type Value } from './graph.ts'
import { sumTo } from './reduction.ts'

/**
 * Reverse-mode differentiation: d loss / d x for each x of `wrt`, as further values of the same graph.
 * Gradients of values used several times are added up; those of broadcast inputs are summed to the input's shape.
 *
 * @param loss a scalar
 * @throws ShapeError when loss is not a scalar, does not depend on an x, or passes an operator without gradient
 */
export function gradients(loss: Value, wrt: readonly Value[]): Value[] {
  expectValues('gradients', [loss])
  expectValues('gradients', wrt)
  if (loss.shape.length !== 0) throw new ShapeError(`gradients: the loss is a scalar, not (${loss.shape.join(', ')})`)
  const nodes = loss.graph.nodes.slice(0, loss.node.id + 1)
  const reached = dependents(nodes, wrt)
  const total = new Map<Value, Value>([[loss, loss.graph.scalar(1)]])

  for (const node of nodes.reverse()) {
    if (!node.inputs.some((x) => reached.has(x.node))) continue
    const dys = node.outputs.map((y) => total.get(y) ?? null)
    if (dys.every((dy) => dy === null)) continue
    if (node.gradient === 'none') throw new ShapeError(`gradients: ${node.op} has no gradient`)
    for (const [i, dx] of node.gradient(...dys).entries()) {
      const x = node.inputs[i]
      if (dx === null || x === undefined || !reached.has(x.node)) continue
      const fitted = sumTo(dx, x.shape)
      const known = total.get(x)
      total.set(x, known === undefined ? fitted : add(known, fitted))
    }
  }
  return wrt.map((x) => {
    const dx = total.get(x)
    if (dx === undefined) throw new ShapeError(`gradients: the loss does not depend on ${x.node.name ?? x.node.op}`)
    return dx
  })
}

/** The nodes of `wrt` and all that is computed from them. */
function dependents(nodes: readonly Node[], wrt: readonly Value[]): Set<Node> {
  const found = new Set(wrt.map((x) => x.node))
  for (const node of nodes) {
    if (node.inputs.some((x) => found.has(x.node))) found.add(node)
  }
  return found
}

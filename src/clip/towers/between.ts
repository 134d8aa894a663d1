import { ShapeError } from '../../base/errors.ts'
import type { Value } from '../../graph/index.ts'

/** A block of a tower, counted from 0; those of a ResNet are its bottlenecks, through all stages. */
export interface Place {
  readonly tower: 'image' | 'text'
  readonly block: number
}

/**
 * Steps in before every block of a tower: the hidden state -> what the block gets in its place. Deep prompts and
 * adapters are such functions. The state is
 * - in a ViT `(n, tokens, width)`, the class token first; there may come back more or fewer tokens;
 * - in a ResNet `(n, channels, height, width)`;
 * - in the text tower `(rows, width)`, packed (see packing.ts).
 */
export type Between = (x: Value, place: Place) => Value

/**
 * The state x as the caller leaves it before a block.
 *
 * @param free the axis whose length the caller may change
 * @throws ShapeError when another one changed
 */
export function stepIn(between: Between, x: Value, place: Place, free?: number): Value {
  const y = between(x, place)
  const fits = y.shape.length === x.shape.length && y.shape.every((n, axis) => axis === free || n === x.shape[axis])
  if (fits) return y
  throw new ShapeError(
    `block ${place.block} of the ${place.tower} tower takes (${x.shape.join(', ')}), but was given (${y.shape.join(', ')}) instead`,
    free === undefined ? 'return the same shape as the input' : `change no axis but ${free}`,
  )
}

/** How far figures may be from the reference. Those of vectors are relative to the largest entry. */
export const BOUNDS = {
  /** Values of 256 that a pixel may be off. */
  pixelLevels: 1,
  features: 1e-4,
  logits: 1e-4,
  loss: 1e-4,
  gradient: 1e-4,
  weights: 1e-4,
  /** Of the losses of a training run, absolute; of its final context vectors, relative. */
  training: 1e-3,
  learningRate: 1e-9,
  /** Of coefficients of a logistic regression. */
  regression: 1e-3,
}

import { useSignal, useSignalEffect } from '@preact/signals'
import type { Context } from '../engine.ts'
import { curves, learning } from '../state/learning.ts'
import { classNames, run } from '../state/prompts.ts'
import { settings } from '../state/task.ts'

const VECTORS = 16
const BARS = 7

/** The two prompts, one above the other: the words that a person wrote, and the vectors that were learned. */
export function Sentence() {
  const contexts = useSignal<readonly Context[]>([])
  useSignalEffect(() => {
    const prompt = run.value?.prompt
    if (prompt === undefined) contexts.value = []
    else void prompt.contexts().then((found) => (contexts.value = found))
  })
  const name = classNames.value[0] ?? 'your class'
  const [before, after] = settings.template.value.split('{}')
  const known = contexts.value[0]?.vectors.map(({ values }) => values) ?? []
  const soFar = (learning.value ?? curves.value)?.vectors ?? []
  const vectors = learning.value || known.length === 0 ? soFar : known
  const waits = learning.value ? 'moving' : 'empty'
  const state = vectors.length > 0 ? 'learned' : waits
  return (
    <section class="sentence" aria-labelledby="title">
      <div class="claim">
        <h1 id="title">Find the words CLIP listens for.</h1>
        <p>
          CLIP sorts pictures by comparing them with a sentence. From a few pictures of yours this page learns a better
          one: not words, but vectors. In this tab, in seconds.
        </p>
      </div>
      <dl class="prompts">
        <dt>Hand-written</dt>
        <dd class="by-hand">
          {before
            ?.trim()
            .split(/\s+/)
            .filter(Boolean)
            .map((word, i) => (
              <span key={`${i} ${word}`} class="word">
                {word}
              </span>
            ))}
          <span class="name">{name}</span>
          <span class="stop">{after}</span>
        </dd>
        <dt>Learned</dt>
        <dd class={`by-learning ${state}`}>
          <span
            class="vectors"
            role="img"
            aria-label={
              vectors.length > 0 ? `${vectors.length} learned vectors` : `${VECTORS} vectors, not learned yet`
            }
          >
            {Array.from({ length: vectors.length || VECTORS }, (_, i) => (
              <Vector key={i} index={i} values={vectors[i]} />
            ))}
          </span>
          <span class="name">{name}</span>
          <span class="stop">.</span>
        </dd>
      </dl>
    </section>
  )
}

/** A vector as a few bars: the means of its stretches, by which two vectors can be told apart at a glance. */
function Vector({ values, index }: { readonly values?: Float32Array; readonly index: number }) {
  const heights = values ? barsOf(values) : new Array<number>(BARS).fill(0)
  return (
    <svg class="vector" viewBox="0 0 28 40" preserveAspectRatio="none" style={{ '--i': index }} aria-hidden="true">
      {heights.map((h, i) => (
        <rect key={i} class="bar" x={4 * i} y={h >= 0 ? 20 - h : 20} width="3" height={Math.max(1.2, Math.abs(h))} />
      ))}
    </svg>
  )
}

function barsOf(values: Float32Array): number[] {
  const size = Math.floor(values.length / BARS)
  const means = Array.from({ length: BARS }, (_, i) => {
    const some = values.subarray(i * size, (i + 1) * size)
    return some.reduce((a, b) => a + b, 0) / size
  })
  const most = Math.max(...means.map(Math.abs)) || 1
  return means.map((mean) => (18 * mean) / most)
}

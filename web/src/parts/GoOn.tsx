import { useSignal, useSignalEffect } from '@preact/signals'
import { lack } from '../state/classes.ts'
import { cutOff, forgetKept, restore } from '../state/kept.ts'
import { learn } from '../state/learning.ts'
import { engineOf, waiting } from '../state/model.ts'
import { task } from '../state/task.ts'

/** Offers to go on with a training that was cut off. */
export function GoOn() {
  const wanted = useSignal(false)
  useSignalEffect(() => {
    const ready = engineOf() && task.value.classNames.length > 1 && lack.value === '' && waiting.value === 0
    if (!wanted.value || !ready) return
    wanted.value = false
    void learn()
  })
  const kept = cutOff.value
  if (!kept) return null
  return (
    <section class="go-on" aria-label="A training that was cut off" role="status">
      <p>
        <strong>A training was cut off</strong> when this page was closed: {kept.classNames.length} classes,{' '}
        {kept.pictures.length} pictures.
      </p>
      <button
        type="button"
        class="plain"
        onClick={() => {
          restore(kept)
          wanted.value = true
        }}
      >
        Go on
      </button>
      <button type="button" class="quiet" onClick={() => void forgetKept()}>
        Forget it
      </button>
    </section>
  )
}

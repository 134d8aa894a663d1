import { type ReadonlySignal, useSignal } from '@preact/signals'
import { type Found, readDrop } from '../dropped.ts'
import { tellError } from '../state/notices.ts'

/** A place that files and folders are dropped on, one inside another too: whether something is held over it, and its handlers. */
export function useDrop(take: (found: readonly Found[]) => unknown): {
  readonly over: ReadonlySignal<boolean>
  readonly handlers: {
    onDragOver(event: DragEvent): void
    onDragLeave(): void
    onDrop(event: DragEvent): void
  }
} {
  const over = useSignal(false)
  const handlers = {
    onDragOver(event: DragEvent) {
      event.preventDefault()
      event.stopPropagation()
      over.value = true
    },
    onDragLeave() {
      over.value = false
    },
    onDrop(event: DragEvent) {
      event.preventDefault()
      event.stopPropagation()
      over.value = false
      if (event.dataTransfer) readDrop(event.dataTransfer).then(take, tellError)
    },
  }
  return { over, handlers }
}

import { dismiss, notices } from '../state/notices.ts'

export function Notices() {
  return (
    <section class="notices" aria-label="Messages" aria-live="polite">
      {notices.value.map(({ id, kind, text, remedy }) => (
        <div key={id} class={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
          <p>
            {text}
            {remedy && <span> {remedy}</span>}
          </p>
          <button type="button" class="icon" aria-label="Close this message" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </section>
  )
}

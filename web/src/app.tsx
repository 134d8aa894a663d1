import { Changed } from './parts/Changed.tsx'
import { Classes } from './parts/Classes.tsx'
import { Footer } from './parts/Footer.tsx'
import { GoOn } from './parts/GoOn.tsx'
import { Header } from './parts/Header.tsx'
import { Learn } from './parts/Learn.tsx'
import { Notices } from './parts/Notices.tsx'
import { Sentence } from './parts/Sentence.tsx'
import { Try } from './parts/Try.tsx'

export function App() {
  return (
    <>
      <a class="skip" href="#classes">
        Skip to the classes
      </a>
      <a class="skip" href="#learn">
        Skip to learning
      </a>
      <Header />
      <main>
        <GoOn />
        <Sentence />
        <div class="steps">
          <Classes />
          <Learn />
          <Try />
        </div>
        <Changed />
      </main>
      <Footer />
      <Notices />
    </>
  )
}

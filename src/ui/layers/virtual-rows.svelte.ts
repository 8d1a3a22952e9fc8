/** Which rows of a long table lie in view: @tanstack/virtual-core as Svelte state. All rows are equally high. */
import { elementScroll, observeElementOffset, observeElementRect, type VirtualItem, Virtualizer } from '@tanstack/virtual-core';

export interface RowsLayout {
  /** Height of a row, pixels. */
  readonly height: number;
  /** Height that is assumed for the view before it is measured, pixels. */
  readonly view: number;
}

/** Rows beyond either edge of the view, there before they are scrolled to. */
const OVERSCAN = 6;

export class VirtualRows {
  readonly #virtualizer: Virtualizer<HTMLElement, HTMLElement>;
  #element: HTMLElement | null = null;
  #count = 0;
  #head = 0;
  #items = $state.raw<readonly VirtualItem[]>([]);

  constructor(private readonly layout: RowsLayout) {
    this.#virtualizer = new Virtualizer(this.#options());
  }

  #options() {
    return {
      count: this.#count,
      getScrollElement: () => this.#element,
      estimateSize: () => this.layout.height,
      initialRect: { width: 0, height: this.layout.view },
      overscan: OVERSCAN,
      // A sticky head covers the view's top; its rows begin below it, so it is the bottom that it takes away.
      scrollPaddingEnd: this.#head,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.#read(),
    };
  }

  #read(): void {
    this.#items = this.#virtualizer.getVirtualItems();
  }

  /** Indices of the rows to be drawn, ascending. */
  get shown(): readonly number[] {
    return this.#items.map(({ index }) => index);
  }

  /** Pixels of the rows before those drawn. */
  get before(): number {
    return this.#items[0]?.start ?? 0;
  }

  /** Pixels of the rows after those drawn. */
  get after(): number {
    return this.#count * this.layout.height - (this.#items.at(-1)?.end ?? 0);
  }

  /** Rows that a page up or down moves by. */
  get page(): number {
    const { clientHeight } = this.#element ?? { clientHeight: this.layout.view };
    return Math.max(1, Math.floor((clientHeight - this.#head) / this.layout.height) - 1);
  }

  /**
   * How many rows there are now.
   * @param head height of the sticky head, pixels
   */
  set(count: number, head: number): void {
    this.#count = count;
    this.#head = head;
    this.#virtualizer.setOptions(this.#options());
    this.#virtualizer._willUpdate();
    this.#read();
  }

  /** Scrolls no farther than needed. */
  reveal(index: number): void {
    this.#virtualizer.scrollToIndex(index, { align: 'auto' });
  }

  top(): void {
    this.#virtualizer.scrollToOffset(0);
  }

  /** Svelte action of the element that scrolls. */
  readonly view = (element: HTMLElement) => {
    this.#element = element;
    const unmount = this.#virtualizer._didMount();
    this.#virtualizer._willUpdate();
    this.#read();
    return {
      destroy: () => {
        this.#element = null;
        unmount();
      },
    };
  };
}

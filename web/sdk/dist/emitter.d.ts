/** Handlers by event, and iterators over all events. */
import type { EventName, Events, NamedEvent } from './types.js';
export type Handler<Name extends EventName> = (value: Events[Name]) => void | Promise<void>;
export declare class Emitter {
    #private;
    /** Calls the handler for each such event; the returned function ends that. */
    on<Name extends EventName>(name: Name, handler: Handler<Name>): () => void;
    /** All events from now on; leaving the loop ends it. */
    iterate(): AsyncIterableIterator<NamedEvent>;
    /**
     * Resolves when every handler and every reader is done with the event: a handler when its promise resolves, a
     * reader when it asks for the next one. What a handler throws is reported and ends nothing.
     */
    emit(event: NamedEvent): Promise<void>;
    /** Ends every iterator. */
    end(): void;
}

import FlyingSocks
import Foundation
import Synchronization

/// The connected clients. At the limit, a new one takes the place of the one that has kept the
/// server waiting longest: for a request, or to take an answer. So clients that only hold
/// connections open lock nobody out.
final class OpenConnections: Sendable {
  private struct Entry {
    var socket: Socket
    /// Ticks of `State.clock` when the server began to wait for the client; nil while the server
    /// works for it.
    var waitsSince: Int?
  }

  private struct State {
    var entries: [Int: Entry] = [:]
    /// Counts entries and waits, so that an order needs no clock.
    var clock = 0
  }

  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) { self.limit = limit }

  /// A place for a client; nil where the server works for as many as it may.
  func enter(_ socket: Socket) -> Place? {
    state.withLock { state in
      if state.entries.count >= limit {
        let waiting = state.entries.compactMap { id, entry in entry.waitsSince.map { (since: $0, id: id) } }
        guard let longest = waiting.min(by: { $0.since < $1.since }),
          let left = state.entries.removeValue(forKey: longest.id)
        else { return nil }
        // Wakes the task that waits for this client; the task closes the socket.
        _ = shutdown(left.socket.file.rawValue, Int32(SHUT_RDWR))
      }
      state.clock += 1
      state.entries[state.clock] = Entry(socket: socket, waitsSince: state.clock)
      return Place(id: state.clock, connections: self)
    }
  }

  /// A client's place, from its coming to its leaving.
  struct Place: Sendable {
    fileprivate let id: Int
    fileprivate let connections: OpenConnections

    /// The server begins to wait for the client.
    func waits() {
      connections.state.withLock { state in
        state.clock += 1
        state.entries[id]?.waitsSince = state.clock
      }
    }

    /// The client has done what was waited for.
    func works() { connections.state.withLock { $0.entries[id]?.waitsSince = nil } }

    /// To be called before the socket is closed: its number may then be another client's.
    func leave() { connections.state.withLock { $0.entries[id] = nil } }
  }
}

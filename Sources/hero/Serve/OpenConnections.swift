import FlyingSocks
import Foundation
import Synchronization

/// The connected clients, up to a limit.
///
/// At the limit, a new client replaces the one that has kept the server waiting longest, for a
/// request or to accept an answer. So clients that only hold connections open lock nobody out.
final class OpenConnections: Sendable {
  private struct Entry {
    var socket: Socket
    /// The tick of `State.clock` at which the server began to wait for the client; nil while it
    /// works for the client.
    var waitsSince: Int?
  }

  private struct State {
    var entries: [Int: Entry] = [:]
    /// The number of entries and waits so far, which orders them without a clock.
    var clock = 0
  }

  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) { self.limit = limit }

  /// Returns a place for a client; nil if the server works for all clients that it may have.
  func enter(_ socket: Socket) -> Place? {
    state.withLock { state in
      if state.entries.count >= limit {
        let waiting = state.entries.compactMap { id, entry in entry.waitsSince.map { (since: $0, id: id) } }
        guard let longest = waiting.min(by: { $0.since < $1.since }),
          let left = state.entries.removeValue(forKey: longest.id)
        else { return nil }
        // Shutting the socket down wakes the task that waits for this client; the task closes it.
        _ = shutdown(left.socket.file.rawValue, Int32(SHUT_RDWR))
      }
      state.clock += 1
      state.entries[state.clock] = Entry(socket: socket, waitsSince: state.clock)
      return Place(id: state.clock, connections: self)
    }
  }

  /// The place of a client from its arrival to its departure.
  struct Place: Sendable {
    fileprivate let id: Int
    fileprivate let connections: OpenConnections

    /// Notes that the server begins to wait for the client.
    func waits() {
      connections.state.withLock { state in
        state.clock += 1
        state.entries[id]?.waitsSince = state.clock
      }
    }

    /// Notes that the client has done what the server waited for.
    func works() { connections.state.withLock { $0.entries[id]?.waitsSince = nil } }

    /// Removes the client.
    ///
    /// Must precede closing the socket, whose number may then be another client's.
    func leave() { connections.state.withLock { $0.entries[id] = nil } }
  }
}

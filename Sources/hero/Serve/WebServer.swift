import FlyingFox
import FlyingSocks
import Formats
import Foundation
import Synchronization

/// A small HTTP/1.1 server for one machine's users, built on FlyingFox's sockets and requests.
public final class WebServer: Sendable {
  /// The port that the server listens on.
  public let port: UInt16
  /// The URL for a browser.
  public let address: String
  private let socket: Socket
  private let handler: any HTTPHandler
  private let limits: ServerLimits
  private let connections: OpenConnections

  /// Binds to an address, so that an address in use fails at once.
  /// - Parameters:
  ///   - host: `localhost`, or an IP address of this machine.
  ///   - port: 0 for any free port.
  /// - Throws: `DataError` if the address is in use or is not this machine's.
  public init(host: String, port: UInt16, limits: ServerLimits = ServerLimits(), handler: any HTTPHandler)
    throws
  {
    self.limits = limits
    self.handler = handler
    connections = OpenConnections(limit: limits.connections)
    // A URL writes IPv6 addresses in brackets: `[::1]`.
    let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    let ip = bare == "localhost" ? "127.0.0.1" : bare
    let isVersion6 = ip.contains(":")
    do {
      socket = try Socket(domain: isVersion6 ? AF_INET6 : AF_INET)
      try socket.setValue(true, for: .localAddressReuse)
      if isVersion6 {
        try socket.bind(to: .inet6(ip6: ip, port: port))
      } else {
        try socket.bind(to: .inet(ip4: ip, port: port))
      }
      try socket.listen()
    } catch {
      throw Self.refusal(error, host: host, port: port)
    }
    switch try socket.sockname() {
    case .ip4(_, let port), .ip6(_, let port): self.port = port
    case .unix: self.port = port
    }
    address = "http://\(isVersion6 ? "[\(ip)]" : host):\(self.port)/"
  }

  /// Returns the error that explains why the server cannot listen at an address.
  private static func refusal(_ error: any Error, host: String, port: UInt16) -> DataError {
    let place = "cannot listen at \(host):\(port)"
    guard case SocketError.failed(let call, let code, let message) = error else {
      return DataError("\(place) (\(error))", cure: "Choose another --port or --host")
    }
    let host = "Choose an address of this machine as --host, such as 127.0.0.1 or 0.0.0.0 for all"
    // `inet_pton` sets no errno for a malformed address.
    guard !call.hasPrefix("inet_pton") else {
      return DataError("\(place): that is no IP address", cure: host)
    }
    switch code {
    case EADDRINUSE:
      return DataError(
        "\(place): another program listens there",
        cure: "End it, or choose another --port; 0 takes a free one")
    case EACCES:
      return DataError(
        "\(place): only the system's own programs may", cure: "Choose a --port from 1024 on")
    case EADDRNOTAVAIL: return DataError("\(place): the address is not this machine's", cure: host)
    default:
      return DataError("\(place): \(message)", cure: "Choose another --port or --host")
    }
  }

  /// Returns whether only this machine reaches an address.
  public static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || host == "[::1]"
      || host.wholeMatch(of: /127(\.[0-9]{1,3}){3}/) != nil
  }

  /// Serves until the task is cancelled.
  public func run() async throws {
    let pool: SocketPool<ePoll> = .ePoll(maxEvents: 64)
    try await pool.prepare()
    defer { try? socket.close() }
    let listening = try AsyncSocket(socket: socket, pool: pool)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.run() }
      group.addTask { try await self.accept(listening) }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func accept(_ listening: AsyncSocket) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      while !Task.isCancelled {
        let client: AsyncSocket
        do {
          client = try await listening.accept()
        } catch SocketError.failed {
          // The client left early, or file descriptors ran out until other clients leave.
          try await Task.sleep(for: .milliseconds(20))
          continue
        }
        // TCP_NODELAY sends an answer at once. Otherwise its last part waits for the client to
        // acknowledge the part before.
        try? client.socket.setValue(true, for: BoolSocketOption(level: Int32(IPPROTO_TCP), name: TCP_NODELAY))
        let connection = Connection(socket: client, handler: handler, limits: limits)
        guard let place = connections.enter(client.socket) else {
          group.addTask { await connection.refuse() }
          continue
        }
        group.addTask {
          await connection.serve(as: place)
          place.leave()
          try? client.close()
        }
      }
    }
  }
}

/// The limits of a server and of a request.
public struct ServerLimits: Sendable {
  /// The maximum number of connections.
  ///
  /// A new client replaces the one that has kept the server waiting longest. If none waits, the new
  /// client is told that the server is busy.
  public var connections = 64
  /// The maximum number of searches that wait or run.
  public var searches = 16
  /// The maximum number of moments being cut at a time.
  public var cuts = 2
  /// The maximum length of a cut moment in seconds.
  public var cutMoment = 600.0
  /// The maximum bytes of its file, which lies on the disk for temporary files until it is sent.
  public var cutBytes = 512 << 20
  /// The maximum seconds that a cut takes.
  public var cutSeconds = 20.0
  /// The maximum bytes of a request's line and headers.
  public var headBytes = 32 << 10
  /// The maximum bytes of a request's target.
  public var targetBytes = 24 << 10
  /// The maximum number of headers in a request.
  public var headers = 64
  /// The maximum seconds until a request has arrived, including the wait for it.
  public var requestSeconds = 15.0
  /// The maximum seconds until a part of an answer is sent.
  public var sendSeconds = 30.0
  /// The number of bytes in such a part.
  public var chunkBytes = 256 << 10

  /// Creates the default limits.
  public init() {}
}

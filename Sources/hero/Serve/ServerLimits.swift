/// What one server and one request may take.
public struct ServerLimits: Sendable {
  /// Connections at a time. A new client takes the place of the one that has kept the server
  /// waiting longest; if none waits, the new client learns that the server is busy.
  public var connections = 64
  /// Searches that wait or run at a time.
  public var searches = 16
  /// Moments that are cut out at a time.
  public var cuts = 2
  /// Seconds of such a moment.
  public var cutMoment = 600.0
  /// Bytes of its file, which lies on the disk for temporary files until it is sent.
  public var cutBytes = 512 << 20
  /// Seconds in which it must be cut.
  public var cutSeconds = 20.0
  /// Bytes of a request's line and headers.
  public var headBytes = 32 << 10
  /// Bytes of a request's target.
  public var targetBytes = 24 << 10
  /// Headers of a request.
  public var headers = 64
  /// Seconds in which a request must have come, the wait for it included.
  public var requestSeconds = 15.0
  /// Seconds in which a part of an answer must have gone.
  public var sendSeconds = 30.0
  /// Bytes of such a part.
  public var chunkBytes = 256 << 10

  /// The defaults above.
  public init() {}
}

import Engine

extension Segments {
  /// Segments for reckoning on the host, before there is a device.
  public convenience init(lengths: some Sequence<Int>) {
    self.init(lengths: lengths, on: hostBackend)
  }

  /// The same on another device.
  public func on(_ backend: any Backend) -> Segments { Segments(lengths: lengths, on: backend) }
}

private let hostBackend: CPUBackend = {
  guard let backend = try? CPUBackend(threads: 1) else { preconditionFailure("OpenBLAS is not installed") }
  return backend
}()

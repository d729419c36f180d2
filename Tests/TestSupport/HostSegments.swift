import Engine

extension Segments {
  /// Makes segments for computing on the host, before there is a device.
  public convenience init(lengths: some Sequence<Int>) {
    self.init(lengths: lengths, on: hostBackend)
  }

  /// Returns the same segments on another device.
  public func on(_ backend: any Backend) -> Segments { Segments(lengths: lengths, on: backend) }
}

private let hostBackend: CPUBackend = {
  guard let backend = try? CPUBackend(threads: 1) else { preconditionFailure("OpenBLAS is not installed") }
  return backend
}()

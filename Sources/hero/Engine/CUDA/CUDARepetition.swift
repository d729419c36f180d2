import CCUDA

/// Operations recorded as a graph of kernels, which the driver starts as one.
///
/// The first run is ordinary: it takes memory from the driver, chooses the algorithms of products
/// and makes copies of weights. The second run is recorded. Its buffers stay out of the pool, since
/// the graph's kernels hold their addresses.
final class CUDARepetition: Repetition {
  private let backend: CUDABackend
  private let body: () -> Void
  private var hasRun = false
  private var graph: UnsafeMutableRawPointer?
  private var held: [BufferPool<UInt64>.Buffer] = []
  /// The multiplications and additions of products in a run.
  private var operations = 0

  private var stream: CUDAStream { backend.stream }

  init(_ backend: CUDABackend, _ body: @escaping () -> Void) {
    (self.backend, self.body) = (backend, body)
  }

  func run() {
    guard hasRun else {
      hasRun = true
      return body()
    }
    if graph == nil { record() } else { backend.products.count(operations) }
    stream.enter()
    stream.check(stream.functions.graph_launch(graph, stream.handle), "start a graph")
  }

  private func record() {
    let (functions, before) = (stream.functions, backend.operations)
    var (recorded, executable): (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?)
    held = backend.deviceMemory.recording {
      stream.enter()
      stream.check(functions.begin_capture(stream.handle, DriverCode.relaxed), "record a graph")
      body()
      stream.check(functions.end_capture(stream.handle, &recorded), "record a graph")
    }
    operations = backend.operations - before
    stream.check(functions.graph_instantiate(&executable, recorded, 0), "make a graph")
    stream.check(functions.graph_destroy(recorded), "free a graph")
    graph = executable
  }

  deinit {
    guard graph != nil else { return }
    // The next use of this memory comes later in the stream.
    stream.enter()
    _ = stream.functions.graph_executable_destroy(graph)
    backend.deviceMemory.release(held)
  }
}

import Corpus
import Engine
import TestSupport
import Testing

@testable import Model
@testable import Tasks

/// Features are uploaded from where a video was read, without an array of the whole batch.
@Suite struct FeatureRunTests {
  /// A backend that records where the elements of each upload come from.
  private final class RecordingBackend: ForwardingBackend, @unchecked Sendable {
    private(set) var runs: [[UnsafeBufferPointer<Float>]] = []

    override func upload(to tensor: Tensor, _ fill: ((UnsafeBufferPointer<Float>) -> Void) -> Void) {
      var own: [UnsafeBufferPointer<Float>] = []
      super.upload(to: tensor) { put in
        withoutActuallyEscaping(put) { put in
          fill { run in
            own.append(run)
            put(run)
          }
        }
      }
      runs.append(own)
    }
  }

  private let items: [VideoItem]
  private let model: ModelConfiguration

  init() throws {
    let reader = try PretrainingCorpus.reader()
    items = try reader.features.videos.prefix(5).filter { reader.frameCount(of: $0) ?? 0 > 0 }.map {
      try reader.read($0)
    }
    model = try Golden.configuration(try Golden.checkpoint("pretrain"))
  }

  @Test(arguments: TestDevice.exact) func comeFromTheItems(device: TestDevice) throws {
    let backend = RecordingBackend(try device.open())
    let input = try VideoBatch(items, model: model).prepared(for: model, on: backend)
    try #require(items.count > 2 && backend.runs.count == 1)
    for (item, run) in paired(items, backend.runs[0]) {
      item.features.withUnsafeBufferPointer {
        #expect(run.baseAddress == $0.baseAddress && run.count == $0.count)
      }
    }
    #expect(backend.values(of: input.features) == items.flatMap(\.features))
  }

  /// Hidden frames at both ends of videos, adjacent or alone, are cut out.
  @Test(arguments: TestDevice.exact) func hiddenFramesAreCutOut(device: TestDevice) throws {
    let backend = RecordingBackend(try device.open())
    let whole = try VideoBatch(items, model: model)
    let (first, last) = (whole.lengths[0], whole.frameCount - 1)
    let hidden = [0, 2, 3, first - 1, first, last]
    let batch = MaskedFrameBatch(hiding: hidden, of: whole)
    let input = batch.prepared(for: model, on: backend)
    let storage = items.map { item in item.features.withUnsafeBufferPointer { $0 } }
    func isOfItem(_ run: UnsafeBufferPointer<Float>) -> Bool {
      guard let start = run.baseAddress else { return false }
      return storage.contains { own in
        own.baseAddress.map { $0 <= start && start + run.count <= $0 + own.count } == true
      }
    }
    #expect(backend.runs.joined().count { !isOfItem($0) } == hidden.count, "the zeros of hidden frames")
    var wanted = items.flatMap(\.features)
    let rows = hidden.map { $0 * whole.featureWidth..<($0 + 1) * whole.featureWidth }
    #expect(backend.values(of: input.targets) == rows.flatMap { wanted[$0] })
    for row in rows { for place in row { wanted[place] = 0 } }
    #expect(backend.values(of: input.videos.features) == wanted)
  }

  /// Values in several runs are rounded like those in one.
  @Test(arguments: TestDevice.exact) func runsAreRoundedAlike(device: TestDevice) throws {
    let backend = try device.open()
    let values = Array(items[0].features.prefix(1000))
    func uploaded(_ cuts: [Int]) -> [Float] {
      let tensor = backend.makeTensor(rows: 1, columns: values.count, type: .bfloat16)
      backend.upload(to: tensor) { put in
        for (start, end) in zip([0] + cuts, cuts + [values.count]) {
          values[start..<end].withUnsafeBufferPointer(put)
        }
      }
      return backend.values(of: tensor)
    }
    #expect(uploaded([1, 1, 8, 77, 512]) == uploaded([]))
  }
}

import Engine
import Formats
import Foundation
import Model
import Tasks

/// The kinds of work that `hero bench` can time.
package enum BenchKind: String, CaseIterable, Sendable {
  /// One update: forward, backward, clipping, AdamW.
  case finetune
  /// Encoding the videos.
  case encode
  /// Encoding the videos and decoding their clips' captions.
  case caption
  /// One update of a pre-training objective.
  case mlm
  case mfmNCE = "mfm-nce"
  case mffr, fom, vsm

  /// Whether the kind is an update.
  package var trains: Bool { self != .encode && self != .caption }
}

/// A benchmark of full-size steps on described batches.
///
/// It compares their rate with the peak rate of matrix products in the same run.
package struct StepBench {
  private let backend: any Backend
  private let communicator: any Communicator
  private let model: ModelConfiguration
  private let moments: MomentsPrecision
  private let memory = PeakMemory()

  /// The paper's size: 768 wide, 6 + 3 layers, 4,352-wide features, a decoder of 2 layers.
  package static let fullSize: ModelConfiguration = {
    func part(_ layers: Int, positions: Int = 514, vocabulary: Int? = nil) -> TransformerConfiguration {
      TransformerConfiguration(
        hiddenSize: 768, layers: layers, heads: 12, intermediateSize: 3072, positions: positions,
        vocabulary: vocabulary)
    }
    return ModelConfiguration(
      cross: part(6, vocabulary: 50_265), temporal: part(3), query: part(0),
      decoder: part(2, positions: 1024),
      featureWidth: 4352)
  }()

  /// - Parameter communicator: the ranks that make an update together, with a batch each; only
  ///   `finetune` can be timed with several.
  package init(
    backend: any Backend, communicator: any Communicator = SoleCommunicator.shared,
    model: ModelConfiguration = fullSize, moments: MomentsPrecision = .fp32
  ) {
    self.backend = backend
    self.communicator = communicator
    self.model = model
    self.moments = moments
  }

  /// The figures of one step.
  package struct Result {
    package let kind: BenchKind
    /// The median over the steps.
    package let seconds: Double
    package let realTokens: Int
    /// The operations of matrix products in a step.
    package let operations: Int
    /// The peak rate of matrix products in this run, in operations per second.
    package let peak: Double
    /// The peak memory since the bench was made, in bytes: the device's, or the process's if the
    /// device has none of its own.
    package let peakMemory: Int
    /// The peak memory of tensors on the device, in bytes.
    package let tensorMemory: Int
    /// The seconds of decoding captions alone; nil for other kinds.
    package let decodingSeconds: Double?
    /// The seconds until the host has queued all of an update.
    package let queuedSeconds: Double?
    package let precision: Precision
    /// The precision of the update's moments; nil for a step that is not an update.
    package let moments: MomentsPrecision?
    /// The timing of the gradient exchange between processes.
    package let exchange: GradientExchange.Timing?
    /// The number of processes that make the update together.
    package let processes: Int

    package var json: JSON {
      var object: JSONObject = [
        "kind": .string(kind.rawValue), "seconds": .double(rounded(seconds)),
        "precision": .string(precision.rawValue),
        "real_tokens": .int(realTokens), "flops": .int(operations),
        "fraction_of_peak": .double(rounded(Double(operations) / seconds / peak)),
        "peak_gflops": .double(rounded(peak * 1e-9)), "peak_memory": .int(peakMemory),
        "tensor_memory": .int(tensorMemory),
      ]
      if let moments { object["moments_precision"] = .string(moments.rawValue) }
      if let decodingSeconds { object["decoding_seconds"] = .double(rounded(decodingSeconds)) }
      if let queuedSeconds { object["queued_seconds"] = .double(rounded(queuedSeconds)) }
      if let exchange, let hidden = exchange.hidden {
        let updates = Double(exchange.updates)
        object["processes"] = .int(processes)
        object["exchange_bytes"] = .int(exchange.bytes / exchange.updates)
        object["exchange_seconds"] = .double(rounded(exchange.underway / updates))
        object["exchange_exposed"] = .double(rounded(exchange.exposed / updates))
        object["exchange_hidden"] = .double(rounded(hidden))
      }
      return .object(object)
    }

    /// Rounds to five decimals, because a GPU takes only milliseconds.
    private func rounded(_ value: Double) -> Double { (value * 100_000).rounded() / 100_000 }
  }

  /// - Parameters:
  ///   - path: the file that describes the batch.
  ///   - steps: the number of steps to time, after one that is not timed.
  package func run(_ kind: BenchKind, batch path: String, steps: Int) throws -> Result {
    let work = try BenchWork(path: path, model: model)
    switch kind {
    case .finetune:
      let batch = RetrievalBatch(
        videos: work.videos, queries: work.queries, slots: work.queryVideos, targets: work.targets
      ).prepared(for: model, on: backend)
      return update(kind, work, steps) { model, tape, random in
        let share = BatchShare(batch.counts, among: tape.communicator)
        _ = model.retrieval.loss(tape, batch, RetrievalLossOptions(), among: share, random: &random)
      }
    case .encode:
      let model = RetrievalModel(model, backend: backend)
      model.store.initialize(seed: 1)
      let videos = work.videos.prepared(for: self.model, on: backend)
      return measure(kind, work, steps) {
        _ = model.videoEncoder(.inference(backend), videos)
        backend.synchronize()
        return nil
      }
    case .caption: return caption(work, steps)
    case .mlm:
      let batch = work.maskedText().prepared(for: model, on: backend)
      return update(kind, work, steps) { model, tape, _ in _ = model.maskedWordLosses(tape, batch) }
    case .mfmNCE, .mffr:
      let batch = work.maskedFrames().prepared(for: model, on: backend)
      return update(kind, work, steps) { model, tape, _ in
        _ = kind == .mffr ? model.featureRegressionLosses(tape, batch) : model.contrastiveLosses(tape, batch)
      }
    case .fom:
      let batch = work.frameOrder().prepared(for: model, on: backend)
      return update(kind, work, steps) { model, tape, _ in _ = model.frameOrderLosses(tape, batch) }
    case .vsm:
      let batch = try work.moments().prepared(for: model, on: backend)
      return update(kind, work, steps) { model, tape, random in
        _ = model.retrieval.loss(tape, batch, RetrievalLossOptions(), random: &random)
      }
    }
  }

  /// Times updates: forward, backward, clipping, AdamW.
  private func update(
    _ kind: BenchKind, _ work: BenchWork, _ steps: Int,
    _ loss: (PretrainingModel, Tape, inout RandomStream) -> Void
  ) -> Result {
    let update = BenchUpdate(model, backend: backend, communicator: communicator, moments: moments)
    var step: UInt64 = 0
    return measure(kind, work, steps, update.exchange) {
      defer { step += 1 }
      return update(step, loss)
    }
  }

  private func caption(_ work: BenchWork, _ steps: Int) -> Result {
    let model = CaptionModel(model, backend: backend)
    model.store.initialize(seed: 1)
    // No token ends a caption: every clip takes all steps, as in the PyTorch program.
    let bounds = CaptionBounds(beginning: 0, end: -1)
    let input = ClipInput(work.videos, clips: work.clips, for: self.model, on: backend)
    return measure(.caption, work, steps) {
      let tape = Tape.inference(backend)
      let memory = model.memory(tape, input)
      backend.synchronize()
      let start = DispatchTime.now().uptimeNanoseconds
      _ = model.decode(tape, memory: memory, clips: input.clips, bounds, DecodingOptions())
      return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }
  }

  private func measure(
    _ kind: BenchKind, _ work: BenchWork, _ steps: Int, _ exchange: GradientExchange? = nil,
    _ step: () -> Double?
  ) -> Result {
    let peak = backend.measurePeak()
    _ = step()
    let earlier = exchange?.timing
    var (times, parts): ([Double], [Double]) = ([], [])
    let before = backend.operations
    for _ in 0..<max(1, steps) {
      let start = DispatchTime.now().uptimeNanoseconds
      if let part = step() { parts.append(part) }
      times.append(Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9)
    }
    return Result(
      kind: kind, seconds: median(times), realTokens: work.realTokens,
      operations: (backend.operations - before) / times.count, peak: max(peak, backend.measurePeak()),
      peakMemory: backend.peakDeviceMemory ?? memory.bytes, tensorMemory: backend.memory.peak,
      decodingSeconds: kind == .caption ? median(parts) : nil,
      queuedSeconds: exchange == nil ? nil : median(parts),
      precision: backend.precision, moments: kind.trains ? moments : nil,
      exchange: exchange.flatMap { exchange in earlier.map { exchange.timing - $0 } },
      processes: communicator.size)
  }

  private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

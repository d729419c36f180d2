import Corpus
import Formats
import Foundation
import Model
import Vision

extension FileReport {
  /// Reports on a model's folder as Hugging Face or open_clip lay it out; nil for any other folder.
  static func weights(inFolder path: String, _ names: [String]) throws -> FileReport? {
    let endings = ["safetensors", "bin", "pt"]
    guard names.contains(where: { endings.contains(ending(of: $0)) || $0.hasSuffix(".index.json") }) else {
      return nil
    }
    return try weights(path)
  }

  /// Reports on a file of weights.
  static func weights(_ path: String) throws -> FileReport {
    let weights = try NetworkWeights(path: path)
    let names = Set(weights.names)
    if names.contains("layer1.0.conv1.weight"), names.contains("conv1.weight") {
      return network(weights, "a ResNet, a network of pictures", flag: "--resnet")
    }
    if names.contains(where: { $0.hasPrefix("s1.pathway") }) {
      return network(weights, "a SlowFast, a network of moving pictures", flag: "--slowfast")
    }
    if names.contains(where: { $0.hasPrefix("mixed_5c.") }) {
      return network(weights, "MIL-NCE's S3D, a network of moving pictures", flag: "--s3d")
    }
    if isCLIP(names) {
      var report = network(weights, "a CLIP, a network of pictures and sentences", flag: "--clip")
      do {
        let files = try CLIPFiles(path: path)
        report.facts.append(("activation", files.image.activation.rawValue))
        report.notes += files.notes
      } catch let error as DataError {
        // A file beside these weights is missing.
        report.notes.append(error.sentence)
      }
      report.uses.append("hero index --videos FOLDER --clip \(ShellWords.line([path])) --output FILE")
      return report
    }
    return try checkpoint(path)
  }

  private static func isCLIP(_ names: Set<String>) -> Bool {
    let own = [
      "visual.class_embedding", "vision_model.embeddings.class_embedding", "visual.attnpool.c_proj.weight",
    ]
    return own.contains(where: names.contains)
  }

  private static func network(_ weights: NetworkWeights, _ kind: String, flag: String) -> FileReport {
    var report = FileReport(path: weights.path, kind: kind)
    report.facts.append(("arrays", "\(weights.names.count)"))
    report.notes = weights.notes
    report.uses = ["hero extract-features VIDEOS \(flag) \(ShellWords.line([weights.path]))"]
    return report
  }

  // MARK: HERO and RoBERTa

  /// The names of arrays that are never parameters.
  private static let buffers: Set<String> = [
    "position_ids", "num_batches_tracked", "pad", "tri_mask", "one_hot",
  ]

  private static func checkpoint(_ path: String) throws -> FileReport {
    let checkpoint = try Checkpoint(path: path)
    let isHERO = checkpoint.names.contains { $0.hasPrefix("v_encoder.") }
    guard isHERO || checkpoint.isLanguageModel else {
      throw DataError(
        "holds \(checkpoint.names.count) arrays, such as \"\(checkpoint.names.first ?? "")\", of no model that hero knows",
        file: path, cure: "Give a HERO, a RoBERTa, a CLIP, a ResNet or a SlowFast")
    }
    try checkpoint.verify()
    var parameters = 0
    for name in checkpoint.names where !buffers.contains(String(name.split(separator: ".").last ?? "")) {
      // Throws for arrays that are damaged, not finite, or of an unsupported type.
      parameters += try checkpoint.array(name)?.count ?? 0
    }
    var report = FileReport(path: path, kind: isHERO ? "a HERO" : "a RoBERTa")
    report.facts.append(
      ("parameters", "\(parameters) in \(checkpoint.names.count) arrays, all of them finite"))
    let word = "embeddings.word_embeddings.weight"
    if let words = try checkpoint.names.first(where: { $0.hasSuffix(word) }).flatMap({
      try checkpoint.shape($0)
    }),
      words.count == 2
    {
      report.facts.append(("words", "\(words[0]), of \(words[1]) numbers each"))
    }
    report.notes = checkpoint.notes
    guard isHERO else {
      report.uses = ["hero pretrain --checkpoint \(ShellWords.line([path]))"]
      return report
    }
    report.addShape(of: checkpoint)
    if let width = try checkpoint.featureWidth() { report.facts.append(("features", Self.features(width))) }
    report.uses = ["hero finetune --checkpoint \(ShellWords.line([path]))"]
    let heads = Self.heads.filter { head in checkpoint.names.contains { $0.hasPrefix(head.start) } }
    report.facts.append(
      ("heads", heads.isEmpty ? "none of a task" : heads.map(\.what).joined(separator: ", ")))
    if !heads.isEmpty {
      report.uses.append("hero eval --output-dir RUN --checkpoint \(ShellWords.line([path]))")
    }
    return report
  }

  private static let heads = [
    (start: "video_st_predictor.", what: "moments and videos (tvr, how2r, …)"),
    (start: "qa_pool.", what: "questions (tvqa, how2qa, vlep; violin of VALUE)"),
    (start: "violin_pool.", what: "statements (violin)"), (start: "decoder.", what: "captions (tvc, …)"),
  ]

  private mutating func addShape(of checkpoint: Checkpoint) {
    for (part, what) in [("f_encoder", "cross-modal"), ("c_encoder", "temporal")] {
      let start = "v_encoder.\(part).encoder.layer."
      let layers = Set(
        checkpoint.names.filter { $0.hasPrefix(start) }.map { $0.dropFirst(start.count).prefix { $0 != "." } }
      )
      facts.append(("\(what) layers", "\(layers.count)"))
    }
  }

  /// Returns the width of features, with the publishers of features of this width.
  static func features(_ width: Int) -> String {
    let names = FeatureVersion.names(ofWidth: width)
    return "\(width) numbers a frame" + (names.isEmpty ? "" : ", as \(names.joined(separator: " or "))")
  }
}

import Engine
import Formats
import Foundation
import Model
import TestSupport
import Testing
import Text

/// The text tower agrees with PyTorch's, in the layouts of open_clip and Hugging Face.
@Suite struct CLIPTextTests {
  private let tokenizer: CLIPTokenizer

  init() throws { tokenizer = try CLIPTokenizer(path: Fixtures.path("CLIP/words")) }

  private func worst(_ rows: [Float], _ expected: [Float]) -> Float {
    #expect(rows.count == expected.count && !rows.isEmpty)
    return paired(rows, expected).map { abs($0 - $1) }.max() ?? .infinity
  }

  @Test(arguments: CLIPRows.models) func agreesWithPyTorch(model: String) throws {
    let expected = try CLIPRows()
    let encoder = try CLIPTextEncoder(CLIPFiles(path: CLIPRows.path(model)), backend: CPUBackend())
    #expect(encoder.width == 6 && encoder.context == 20 && encoder.vocabulary == tokenizer.vocabularySize)
    let texts = expected.texts.map { tokenizer.encode($0, most: encoder.context).ids }
    #expect(worst(encoder.rows(texts), expected.rows(model, "text")) < 2e-5)
    // A row does not depend on the others of its batch.
    for (text, row) in zip(texts, 0...) {
      let own = Array(expected.rows(model, "text")[row * 6..<(row + 1) * 6])
      #expect(worst(encoder.rows([text]), own) < 2e-5)
    }
  }

  /// Token states agree as moment_detr stores them, for a CLIP of each kind of image tower.
  @Test(arguments: [("quick", CLIPRows.path("openclip-quick")), ("states", CLIPStates.folder)])
  func statesAgreeWithPyTorch(name: String, path: String) throws {
    let expected = try CLIPStates()
    let encoder = try CLIPTextEncoder(CLIPFiles(path: path), backend: CPUBackend())
    let texts = expected.texts.map { tokenizer.encode($0, most: encoder.context).ids }
    let (tokens, pooled) = encoder.states(texts)
    let wanted = expected.states(name)
    #expect(wanted.count == texts.count && encoder.hidden == 8)
    #expect(worst(tokens, wanted.flatMap(\.tokens)) < 2e-5)
    #expect(worst(pooled, wanted.flatMap(\.pooled)) < 2e-5)
  }

  /// A tower that lacks part of a layer is refused, not taken for a lower one.
  @Test func aTowerWithAHoleIsRefused() throws {
    let folder = try TemporaryFolder()
    let copy = folder.path("clip")
    try FileManager.default.copyItem(atPath: CLIPRows.path("openclip-quick"), toPath: copy)
    let file = copy + "/open_clip_model.safetensors"
    let whole = try SafetensorsFile(path: file)
    let tensors = try whole.entries.map { ($0.name, try whole.array($0)) }
    for layer in [0, 1] {
      let rest = tensors.filter { $0.0 != "transformer.resblocks.\(layer).ln_1.weight" }
      #expect(rest.count == tensors.count - 1)
      try Safetensors.write(path: file, tensors: rest)
      let error = #expect(throws: DataError.self) {
        try CLIPTextEncoder(CLIPFiles(path: copy), backend: CPUBackend())
      }
      #expect(error?.problem.hasSuffix("layer \(layer) is not whole") == true, "\(String(describing: error))")
    }
  }

  /// The activation comes from the files or a flag and is never guessed, since it changes the rows.
  @Test func activationIsToldOrAskedFor() throws {
    let folder = try TemporaryFolder()
    func copy(_ names: [String], from model: String, to place: String) throws {
      try FileManager.default.createDirectory(
        atPath: folder.path(place), withIntermediateDirectories: true)
      for name in names {
        try FileManager.default.copyItem(
          atPath: "\(CLIPRows.path(model))/\(name)", toPath: folder.path("\(place)/\(name)"))
      }
    }
    #expect(try CLIPFiles(path: CLIPRows.path("openclip")).text.activation == .gelu)
    #expect(try CLIPFiles(path: CLIPRows.path("openclip-quick")).image.activation == .quickGELU)
    #expect(try CLIPFiles(path: CLIPRows.path("huggingface")).text.activation == .gelu)
    let file = CLIPRows.path("openclip-quick") + "/open_clip_model.safetensors"
    #expect(try CLIPFiles(path: file).text == CLIPFiles.Tower(activation: .quickGELU, heads: 2))
    try copy(["open_clip_model.safetensors"], from: "openclip", to: "bare")
    try copy(["model.safetensors"], from: "huggingface", to: "bare-too")
    for place in ["bare", "bare-too"] {
      let error = try #require(throws: DataError.self) { try CLIPFiles(path: folder.path(place)) }
      #expect(error.cure?.contains("--clip-activation") == true)
    }
    #expect(try CLIPFiles(path: folder.path("bare-too"), activation: .gelu).text.activation == .gelu)
    // OpenAI has no CLIP of these widths, so the heads are not guessed either.
    #expect(throws: DataError.self) { try CLIPFiles(path: folder.path("bare"), activation: .gelu) }
    let overridden = try CLIPFiles(path: CLIPRows.path("openclip"), activation: .quickGELU)
    #expect(overridden.text.activation == .quickGELU && overridden.notes.count == 1)
  }

  @Test(arguments: [
    #"{"model_cfg": {"text_cfg": {"hf_model_name": "roberta-base"}}}"#,
    #"{"model_cfg": {"text_cfg": {"no_causal_mask": true}}}"#,
    #"{"model_cfg": {"vision_cfg": {"timm_model_name": "vit_base_patch16_siglip_224"}}}"#,
    #"{"model_cfg": {"vision_cfg": {"pool_type": "avg"}}}"#,
    #"{"model_cfg": {"text_cfg": {"heads": 0}}}"#,
    #"{"model_cfg": {}, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}}"#,
  ]) func otherShapesAreRefused(config: String) throws {
    let folder = try TemporaryFolder()
    _ = try folder.file("open_clip_config.json", config)
    try FileManager.default.copyItem(
      atPath: CLIPRows.path("openclip") + "/open_clip_model.safetensors",
      toPath: folder.path("open_clip_model.safetensors"))
    let error = try #require(throws: DataError.self) { try CLIPFiles(path: folder.root) }
    #expect(error.file?.hasSuffix("open_clip_config.json") == true && error.cure != nil)
  }
}

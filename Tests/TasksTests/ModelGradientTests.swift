import Engine
import Model
import Testing

@testable import Tasks

/// The gradient of every loss of every model agrees with the loss's differences.
///
/// See ``GradientCheck``.
struct ModelGradientTests {
  private func total(_ terms: [LossTerm], _ backend: any Backend) -> Double {
    let weights = terms.filter { $0.value != nil }.map { Double($0.weight) }
    return zip(backend.numbers(of: terms.compactMap(\.value)), weights).reduce(0) { $0 + $1.0 * $1.1 }
  }

  // MARK: Retrieval

  /// A case of the ranking losses.
  struct Ranking: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var options: RetrievalLossOptions
    var slots = [0, 1, 2]
    var queriesPerSlot = 1

    init(
      _ name: String, slots: [Int] = [0, 1, 2], queriesPerSlot: Int = 1, _ set: (inout RankingOptions) -> Void
    ) {
      testDescription = name
      (self.slots, self.queriesPerSlot) = (slots, queriesPerSlot)
      options = RetrievalLossOptions()
      (options.contextWeight, options.queryWeight, options.spanWeight) = (1, 0.7, 0.5)
      // The margin is so wide that no pair is at the hinge's kink.
      options.ranking.margin = 2.5
      set(&options.ranking)
    }
  }

  static let rankings = [
    Ranking("hinge") { _ in },
    Ranking("lse") { $0.kind = .lse },
    Ranking("hard negatives") {
      ($0.useHardNegatives, $0.hardPoolSize, $0.hardNegativeWeight) = (true, 1, 10)
    },
    Ranking("one drawn negative") { $0.useAllNegatives = false },
    Ranking("one drawn of the hard") {
      ($0.useAllNegatives, $0.useHardNegatives, $0.hardPoolSize) = (false, true, 2)
    },
    Ranking("a video twice", slots: [0, 1, 1, 2]) { _ in },
    Ranking("several queries a video", queriesPerSlot: 2) { $0.kind = .lse },
  ]

  @Test(arguments: rankings) func retrieval(ranking: Ranking) throws {
    let model = RetrievalModel(TinyModel.configuration, backend: try CPUBackend(threads: 1))
    let backend = model.store.backend
    let input = TinyModel.retrieval(slots: ranking.slots, queriesPerSlot: ranking.queriesPerSlot)
      .prepared(for: model.configuration, on: backend)
    GradientCheck(model.store) { tape in
      var random = RandomStream(seed: 1, stream: 0)
      return total(model.loss(tape, input, ranking.options, random: &random), backend)
    }.expectAgreement(reaching: [
      "q_feat_attn.query_input_proj.", "q_feat_attn.query_pos_embed.", "q_feat_attn.query_self_attention.",
      "q_feat_attn.modular_vector_mapping", "video_query_linear", "video_st_predictor", "video_ed_predictor",
      "v_encoder.f_encoder.encoder.", "v_encoder.f_encoder.embeddings.",
      "v_encoder.f_encoder.img_embeddings.",
      "v_encoder.frame_transform", "v_encoder.c_encoder.encoder.", "v_encoder.c_encoder.embeddings.",
    ])
  }

  // MARK: Questions, statements, captions

  @Test func questions() throws {
    let model = QuestionModel(TinyModel.configuration, backend: try CPUBackend(threads: 1))
    let backend = model.store.backend
    let input = TinyModel.questions(answers: 3, spans: true).prepared(for: model.configuration, on: backend)
    GradientCheck(model.store) { total(model.loss($0, input, spanWeight: 0.7), backend) }
      .expectAgreement(reaching: [
        "qa_pool", "qa_pred_head", "st_ed_pool", "st_ed_pred_head", "v_encoder.f_encoder.embeddings.word",
        "v_encoder.f_encoder.encoder.", "v_encoder.c_encoder.encoder.", "v_encoder.c_encoder.embeddings.",
        "v_encoder.frame_transform",
      ])
  }

  @Test func statements() throws {
    let model = StatementModel(TinyModel.configuration, backend: try CPUBackend(threads: 1))
    let backend = model.store.backend
    let input = TinyModel.questions(answers: 1, spans: false).prepared(for: model.configuration, on: backend)
    GradientCheck(model.store) { total(model.loss($0, input), backend) }
      .expectAgreement(reaching: [
        "violin_pool", "violin_pred_head", "v_encoder.f_encoder.", "v_encoder.c_encoder.",
      ])
  }

  @Test(arguments: [Float(0), 0.1]) func captions(smoothing: Float) throws {
    let model = CaptionModel(TinyModel.configuration, backend: try CPUBackend(threads: 1))
    let backend = model.store.backend
    let input = TinyModel.captions.prepared(for: model.configuration, on: backend)
    GradientCheck(model.store) { tape in
      total([LossTerm("loss", model.loss(tape, input, smoothing: smoothing))], backend)
    }.expectAgreement(reaching: [
      "decoder.layer.0.self_attention", "decoder.layer.0.dec_enc_attention", "decoder.layer.0.intermidiate",
      "decoder.layer.0.add_norm_3", "position_embeddings", "emb_LayerNorm", "v_encoder.f_encoder.lm_head",
      "v_encoder.f_encoder.embeddings.word", "v_encoder.f_encoder.encoder.", "v_encoder.c_encoder.encoder.",
    ])
  }

  // MARK: VALUE's fusion models

  /// The share of parameters whose slopes may be undecided.
  ///
  /// A maximum has a kink wherever two words meet, and most directions cross one.
  /// `ValueFusionGoldenTests` compares with VALUE's own gradients.
  private static let blindShare = 0.75

  private static func fused(_ fusion: SubtitleFusion) -> ModelConfiguration {
    var configuration = TinyModel.configuration
    configuration.fusion = fusion
    // One sequence holds a video's frames and sentences, and a question after them.
    configuration.temporal.positions = 32
    return configuration
  }

  private static let own: [SubtitleFusion: [String]] = [
    .add: ["v_encoder.frame_transform", "v_encoder.sub_transform"],
    .concat: [
      "v_encoder.frame_transform", "v_encoder.sub_transform", "v_encoder.video_sub_feature_transform",
    ],
    .sequence: [
      "v_encoder.sub_embeddings.position", "v_encoder.sub_embeddings.token_type",
      "v_encoder.sub_embeddings.LayerNorm", "v_encoder.frame_embeddings.img_linear",
      "v_encoder.frame_embeddings.position", "v_encoder.frame_embeddings.LayerNorm",
    ],
  ]

  @Test(arguments: [SubtitleFusion.add, .concat, .sequence])
  func fusedVideos(fusion: SubtitleFusion) throws {
    let model = RetrievalModel(Self.fused(fusion), backend: try CPUBackend(threads: 1))
    let backend = model.store.backend
    let input = TinyModel.retrieval().prepared(for: model.configuration, on: backend)
    var options = RetrievalLossOptions()
    (options.contextWeight, options.queryWeight, options.spanWeight) = (1, 0.7, 0.5)
    options.ranking.margin = 2.5
    GradientCheck(model.store) { tape in
      var random = RandomStream(seed: 1, stream: 0)
      return total(model.loss(tape, input, options, random: &random), backend)
    }.expectAgreement(
      reaching: [
        "v_encoder.f_encoder.encoder.", "v_encoder.f_encoder.embeddings.", "v_encoder.c_encoder.encoder.",
      ]
        + (Self.own[fusion] ?? []), blindShare: Self.blindShare)
  }

  @Test(arguments: [SubtitleFusion.add, .concat, .sequence])
  func questionsAboutFusedVideos(fusion: SubtitleFusion) throws {
    let model = QuestionModel(Self.fused(fusion), backend: try CPUBackend(threads: 1))
    let backend = model.store.backend
    let input = TinyModel.questions(answers: 3, spans: true).prepared(for: model.configuration, on: backend)
    GradientCheck(model.store) { total(model.loss($0, input, spanWeight: 0.7), backend) }
      .expectAgreement(
        reaching: ["qa_pool", "st_ed_pool", "v_encoder.c_encoder.embeddings."] + (Self.own[fusion] ?? []),
        blindShare: Self.blindShare)
  }

  // MARK: Pre-training

  private func pretraining<Input>(
    _ prepare: (ModelConfiguration, any Backend) -> Input, reaching names: [String],
    _ losses: (PretrainingModel, Tape, Input) -> Tensor
  ) throws {
    let model = PretrainingModel(TinyModel.configuration, backend: try CPUBackend(threads: 1))
    let backend = model.store.backend
    let input = prepare(model.configuration, backend)
    GradientCheck(model.store) { tape in
      let values = backend.values(of: losses(model, tape, input)).map { Double($0) }
      return values.reduce(0, +) / Double(values.count)
    }.expectAgreement(reaching: names)
  }

  @Test func maskedWords() throws {
    try pretraining(
      { TinyModel.maskedText.prepared(for: $0, on: $1) },
      reaching: [
        "v_encoder.f_encoder.lm_head", "v_encoder.f_encoder.embeddings.", "v_encoder.f_encoder.encoder.",
        "v_encoder.f_encoder.img_embeddings.img_linear",
      ]
    ) { model, tape, input in model.maskedWordLosses(tape, input) }
  }

  private static let frames = [
    "v_encoder.feat_regress", "v_encoder.mask_embedding", "v_encoder.f_encoder.img_embeddings.mask_embedding",
    "v_encoder.f_encoder.encoder.", "v_encoder.c_encoder.encoder.", "v_encoder.frame_transform",
  ]

  @Test(arguments: [Float(1), 4]) func maskedFramesByContrast(temperature: Float) throws {
    try pretraining(
      { TinyModel.maskedFrames.prepared(for: $0, on: $1) }, reaching: Self.frames
    ) { model, tape, input in model.contrastiveLosses(tape, input, temperature: temperature) }
  }

  @Test func maskedFramesByRegression() throws {
    try pretraining(
      { TinyModel.maskedFrames.prepared(for: $0, on: $1) }, reaching: Self.frames
    ) { model, tape, input in model.featureRegressionLosses(tape, input) }
  }

  @Test func frameOrder() throws {
    try pretraining(
      { TinyModel.frameOrder.prepared(for: $0, on: $1) },
      reaching: ["v_encoder.fom_output", "v_encoder.f_encoder.encoder.", "v_encoder.c_encoder."]
    ) { model, tape, input in model.frameOrderLosses(tape, input) }
  }

  /// VSM is the retrieval loss with several queries a video.
  @Test func subtitleMatching() throws {
    let model = RetrievalModel(TinyModel.configuration, backend: try CPUBackend(threads: 1))
    let backend = model.store.backend
    let input = TinyModel.retrieval(queriesPerSlot: 5).prepared(for: model.configuration, on: backend)
    var options = RetrievalLossOptions()
    (options.contextWeight, options.queryWeight, options.spanWeight) = (1, 1, 0.5)
    options.ranking.margin = 2.5
    GradientCheck(model.store) { tape in
      var random = RandomStream(seed: 1, stream: 0)
      return total(model.loss(tape, input, options, random: &random), backend)
    }.expectAgreement(reaching: [
      "q_feat_attn.", "video_query_linear", "video_st_predictor", "v_encoder.c_encoder.",
    ])
  }

  // MARK: The check itself

  /// A gradient that is slightly off, of another sign, missing or NaN is detected.
  @Test func aWrongGradientIsFound() throws {
    let backend = try CPUBackend(threads: 1)
    let store = ParameterStore(backend: backend)
    let weight = store.add("weight", [3, 4], .normal(deviation: 1))
    let bias = store.add("bias", [3], .constant(0))
    let x = backend.makeTensor([1, 0.5, -1, 2, 0.25, 1, 1, -0.5], rows: 2, columns: 4)
    let targets = backend.makeIndices([2, 0])
    /// Returns slopes whose gradient is `factor` times that of the reported loss.
    func check(_ factor: Float) -> [GradientCheck.Slope] {
      GradientCheck(store) { tape in
        let losses = tape.crossEntropy(
          tape.linear(x, weight.tensor, bias.tensor), targets: targets, weight: factor / 2)
        return backend.values(of: losses).reduce(0) { $0 + Double($1) } / 2
      }.slopes
    }
    #expect(check(1).allSatisfy { $0.distance() <= 1 })
    for factor: Float in [1.002, 0.9, 0, -1, .nan] {
      for name in ["weight", "bias"] {
        let own = check(factor).filter { $0.parameter == name }
        #expect(own.contains { $0.distance() > 1 }, "a gradient times \(factor) passed for \(name)")
      }
    }
  }
}

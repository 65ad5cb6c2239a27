using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Alignment;
using Gradus.Training.Compression.Distillation;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;
using Gradus.Training.Tuning;

namespace Gradus.Training.Tests.Objectives;

/// <summary>A small model with something to learn, for every objective and every kind of head.</summary>
internal static class ObjectiveCases
{
    private const int Words = TinyTraining.Vocabulary;
    private const int Classifier = 1, Separator = 2, Mask = 3, Start = 0, End = 2;

    private static readonly bool[] Special = [.. Enumerable.Range(0, Words).Select(i => i < 4)];

    private static readonly Dictionary<string, Func<Device, float, (LanguageModel Model, Objective Objective)>> All = new(StringComparer.Ordinal)
    {
        ["next token"] = (d, p) => (Llama(d), TinyTraining.Objective()),
        ["causal and masked"] = (d, p) => (Llama(d), new CausalAndMasked(Texts(60), Masks(new MaskOptions(0.3)), Texts(8), accumulation: 2)),
        ["span corruption"] = (d, p) => (T5(d, p), new NextToken(Denoised(60, new SpanDenoiser()), Denoised(8, new SpanDenoiser()))),
        ["mixture of denoisers"] = (d, p) => (T5(d, p), new NextToken(Denoised(60, [.. Denoising.Ul2(4, 5, 6)]), Denoised(8, new PrefixDenoiser()))),
        ["masked language"] = (d, p) => (Bert("ForMaskedLM", d, p), new TaskObjective(Masked(60), Masked(8), accumulation: 2)),
        ["next sentence"] = (d, p) => (Bert("ForPreTraining", d, p), new TaskObjective(Pairs(PairTask.NextSentence, 8), Pairs(PairTask.NextSentence, 3), terms: [new("tokens"), new("pairs")])),
        ["sentence order"] = (d, p) => (Bert("ForPreTraining", d, p), new TaskObjective(Pairs(PairTask.SentenceOrder, 8), Pairs(PairTask.SentenceOrder, 3), terms: [new("tokens"), new("pairs")])),
        ["replaced tokens"] = (d, p) => Electra(d, p),
        ["classes"] = (d, p) => (Bert("ForSequenceClassification", d, p), Labelled(e => new(e) { Classes = [e[0] % 3] })),
        ["several labels"] = (d, p) => (Bert("ForSequenceClassification", d, p, ProblemType.MultiLabelClassification), Labelled(e => new(e) { Numbers = [e[0] % 2, e[0] % 3 == 0 ? 1 : 0, 1] })),
        ["numbers"] = (d, p) => (Bert("ForSequenceClassification", d, p, ProblemType.Regression), Labelled(e => new(e) { Numbers = [e[0] / 60f, e.Length / 24f, 0.5f] })),
        ["tags"] = (d, p) => (Bert("ForTokenClassification", d, p), Labelled(e => new(e) { Classes = [.. e.Select((id, i) => i == 0 ? -100 : id % 3)] })),
        ["answers"] = (d, p) => (Bert("ForQuestionAnswering", d, p), Labelled(e => new(e) { Span = (Array.IndexOf(e, e.Max()), Array.IndexOf(e, e.Max())) })),
        ["decoder's classes"] = (d, p) => (Create(new LlamaConfig(Words, 32, 48, 2, 4, 2, MaxPositionEmbeddings: 32) { Architecture = "LlamaForSequenceClassification", Labels = LabelSet.OfCount(3) }, d), Labelled(e => new(e) { Classes = [e[^1] % 3] })),
        ["preferences"] = (d, p) => Preferences(d, new SigmoidLoss(0.5)),
        ["preferences with a running mean"] = (d, p) => Preferences(d, new BcoPairLoss()),
        ["preferences and answers"] = (d, p) => Preferences(d, new OrpoLoss(0.5)),
        ["labelled answers"] = (d, p) => LabelledAnswers(d),
        ["vectors of texts"] = (d, p) => (Bert("ForMaskedLM", d, p), new ContrastiveObjective(new ContrastiveOptions(Nn.Pooling.Mean, 0.1, [16]), Triples(60), Triples(9), accumulation: 2)),
        ["ranks that are given up"] = (d, p) => AdaLora(d),
        ["rewards"] = (d, p) => (Bert("ForSequenceClassification", d, p, labels: 1), new RewardObjective(new RewardLoss(0.01), Pairs(40), Pairs(6), accumulation: 2)),
        ["a teacher"] = (d, p) => Distilled(d, new DistillationOptions()),
        ["a teacher of own texts"] = (d, p) => Distilled(d, new DistillationOptions(HiddenWeight: 0.1, Author: TextAuthor.Student, WrittenShare: 0.5, PromptTokens: 4, NewTokens: 6)),
        ["own answers"] = (d, p) => OwnAnswers(d, new OnPolicyOptions(2, 4, 4) { Advantage = new LeaveOneOutAdvantage(), Kl = new KlControl(0.02) }),
        ["own answers with a critic"] = (d, p) => OwnAnswers(d, new OnPolicyOptions(2, 4, 4, Temperature: 0.8f, Epochs: 2, MiniBatches: 2) { Advantage = new GeneralizedAdvantage(), Kl = new KlControl(0.02, Target: 2) }),
        ["own answers to a source"] = (d, p) => OwnAnswers(d, new OnPolicyOptions(2, 4, 4) { Loss = new PolicyLoss(KlCoefficient: 0.02, TopEntropyShare: 0.5, Level: RatioLevel.Sequence, Aggregation: LossAggregation.Sequence) }, source: true),
    };

    public static IReadOnlyCollection<string> Known => All.Keys;

    public static TheoryData<string> Names => [.. Known];

    /// <summary>The model, ready to train, and its objective; dispose both.</summary>
    public static (LanguageModel Model, Objective Objective) Make(string name, Device device, float dropout = 0.1f) => All[name](device, dropout);

    public static TokenMask Masks(MaskOptions options) => new(options, new MaskVocabulary(Mask, Special), 5);

    private static PackedExamples Texts(int count) => new PackedExamples(TinyTraining.Examples(count, seed: count), 160, 5);

    private static MaskedLanguage Masked(int count) => new(Texts(count), Masks(new MaskOptions()));

    private static Denoising Denoised(int count, params Denoiser[] denoisers) => new(Texts(count), denoisers, new DenoisingVocabulary(Words - 1, 12, Start, End), 3);

    private static SentencePairs Pairs(PairTask task, int documents) => new(
        [.. TinyTraining.Examples(documents * 6, seed: 9).Chunk(6).Select(d => (IReadOnlyList<int[]>)[.. d.Select(e => e.Ids)])],
        new PairOptions(task, 24), Masks(new MaskOptions(0.15)), Classifier, Separator, 160, 4);

    private static (LanguageModel, Objective) Preferences(Device device, PreferenceLoss loss)
    {
        GenerativeModel model = (GenerativeModel)Llama(device);
        PreferenceExamples train = Pairs(40), validation = Pairs(6);
        if (loss.UsesReference)
        {
            train.SetReference(model, Precision.F32);
            validation.SetReference(model, Precision.F32);
        }
        return (model, new PreferenceObjective(loss, train, validation, accumulation: 2));
    }

    private static (LanguageModel, Objective) LabelledAnswers(Device device)
    {
        GenerativeModel model = (GenerativeModel)Llama(device);
        UnpairedExamples train = Answers(40), validation = Answers(6);
        train.SetReference(model, Precision.F32);
        validation.SetReference(model, Precision.F32);
        return (model, new UnpairedObjective(new ApoZeroUnpairedLoss(0.5), train, validation, accumulation: 2));

        static UnpairedExamples Answers(int count) => new(
            [.. TinyTraining.Examples(count, seed: count).SelectMany(e => new[] { new UnpairedExample(Answer(e.Ids), true), new(Answer([.. e.Ids[..3], .. Enumerable.Repeat(e.Ids[2], e.Ids.Length - 2)]), false) })], 200, 8, mismatches: false);
    }

    // A text and the same one from its second half on belong together.
    private static SentenceTriples Triples(int count) => new(
        [.. TinyTraining.Examples(count, seed: count).Select(e => new SentenceTriple(e.Ids, e.Ids[(e.Ids.Length / 2)..], [.. e.Ids.Reverse()]))], 240, 8);

    private static (LanguageModel, Objective) AdaLora(Device device)
    {
        LanguageModel model = Llama(device);
        ModelAdapter adapter = ModelAdapter.Attach(model, new AdaLoraConfig(TargetR: 2, InitR: 4, Tfinal: 20, OrthRegWeight: 0, TotalStep: 80, LoraAlpha: 200, TargetModules: ModuleNames.AllLinear), 5);
        return (model, new AdaLoraObjective(TinyTraining.Objective(), new AdaLoraAllocator(adapter)));
    }

    // The teacher has learned the language.
    private static (LanguageModel, Objective) Distilled(Device device, DistillationOptions options)
    {
        LanguageModel teacher = Create(new LlamaConfig(Words, 32, 64, 2, 4, 2, MaxPositionEmbeddings: 32), device);
        using (Trainer trainer = new(teacher, TinyTraining.Objective(), new TrainingOptions(30, Seed: 5) { Optimizer = new AdamW(5e-3) }))
        {
            for (int i = 0; i < 30; i++)
                trainer.Step();
        }
        teacher.SetTrainable(false);
        return (Llama(device), new DistillationObjective((GenerativeModel)teacher, Texts(60), Texts(8), options, ends: [End]));
    }

    // Even tokens are wanted.
    private static (LanguageModel, Objective) OwnAnswers(Device device, OnPolicyOptions options, bool source = false)
    {
        LanguageModel policy = source ? T5(device, 0) : Llama(device);
        GenerativeModel reference = (GenerativeModel)(source ? T5(device, 0) : Llama(device));
        reference.SetTrainable(false);
        return (policy, new OnPolicyObjective(
            (GenerativeModel)policy, [.. TinyTraining.Examples(6).Select(e => e.Ids[..4])], [End],
            [RewardSource.Of("even", r => r.Answer.Count(t => t % 2 == 0) / (double)r.Answer.Length), RewardSource.Of("short", r => -r.Answer.Length, weight: 0)],
            reference, options, Precision.F32, seed: 3));
    }

    // The better answer goes on in the language, the worse one repeats itself.
    private static PreferenceExamples Pairs(int count) => new(
        [.. TinyTraining.Examples(count, seed: count).Select(e => new PreferenceExample(Answer(e.Ids), Answer([.. e.Ids[..3], .. Enumerable.Repeat(e.Ids[2], e.Ids.Length - 2)])))], 200, 8);

    private static Example Answer(int[] ids) => new(ids, [.. ids.Select((_, i) => i >= 3)]);

    private static TaskObjective Labelled(Func<int[], LabelledExample> label)
    {
        return new TaskObjective(Of(60), Of(9), accumulation: 2);

        LabelledExamples Of(int count) => new([.. TinyTraining.Examples(count, seed: count).Select(e => label(e.Ids))], 160, 6);
    }

    private static (LanguageModel, Objective) Electra(Device device, float dropout)
    {
        LanguageModel model = Create(Config("ElectraForPreTraining", 32), device);
        MaskOptions options = new(0.3, MaskShare: 0.85, RandomShare: 0);
        return (model, new ReplacedTokens(model, Config("ElectraForMaskedLM", 16), new MaskedLanguage(Texts(60), Masks(options)), new MaskedLanguage(Texts(8), Masks(options)), seed: 7));

        ElectraConfig Config(string architecture, int width) =>
            new(Words, 16, width, 2, 4, 48, HiddenDropoutProb: dropout, AttentionProbsDropoutProb: dropout, MaxPositionEmbeddings: 32) { Architecture = architecture };
    }

    private static LanguageModel Bert(string head, Device device, float dropout, ProblemType? problem = null, int labels = 3) => Create(
        new BertConfig(Words, 32, 2, 4, 48, HiddenDropoutProb: dropout, AttentionProbsDropoutProb: dropout, MaxPositionEmbeddings: 32)
        {
            Architecture = $"Bert{head}",
            Labels = LabelSet.OfCount(labels, problem),
        },
        device);

    private static LanguageModel T5(Device device, float dropout) => Create(new T5Config(Words, DModel: 32, DKv: 8, DFf: 48, NumLayers: 2, NumHeads: 4, DropoutRate: dropout), device);

    private static LanguageModel Llama(Device device) => Create(new LlamaConfig(Words, 32, 48, 2, 4, 2, MaxPositionEmbeddings: 32), device);

    private static LanguageModel Create(ModelConfig config, Device device)
    {
        LanguageModel model = Checkpoint.Create(config, 3, device);
        model.SetTrainable(true);
        return model;
    }
}

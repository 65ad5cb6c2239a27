using System.Text.Json.Serialization;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>Small models of every registered encoder with every head, and every decoder as a classifier; what they are asked and told.</summary>
internal static class EncoderCases
{
    private const int Words = 61;

    // Wide enough initial weights that a wrong number shows.
    internal static readonly EncoderConfig[] Tiny =
    [
        new BertConfig(Words, 24, 2, 3, 40, MaxPositionEmbeddings: 32, InitializerRange: 0.3f),
        new DistilBertConfig(Words, 32, NLayers: 2, NHeads: 3, Dim: 24, HiddenDim: 40, InitializerRange: 0.3f),
        new ElectraConfig(Words, 16, 24, 2, 3, 40, MaxPositionEmbeddings: 32, InitializerRange: 0.3f),
        new RobertaConfig(Words, 24, 2, 3, 40, MaxPositionEmbeddings: 34, InitializerRange: 0.3f),
        new XLNetConfig(Words, 24, 2, 3, 40, InitializerRange: 0.3f),
    ];

    // With the options the other way round.
    private static readonly EncoderConfig[] Variants =
    [
        new BertConfig(Words, 24, 1, 4, 40, "relu", MaxPositionEmbeddings: 32, TypeVocabSize: 3, InitializerRange: 0.3f, ClassifierDropout: 0.2f, TieWordEmbeddings: false),
        new DistilBertConfig(Words, 32, SinusoidalPosEmbds: true, NLayers: 1, NHeads: 4, Dim: 24, HiddenDim: 40, Activation: "relu", InitializerRange: 0.3f, TieWordEmbeddings: false),
        new ElectraConfig(Words, 24, 24, 1, 4, 40, "relu", MaxPositionEmbeddings: 32, InitializerRange: 0.3f, TieWordEmbeddings: false),
        new RobertaConfig(Words, 24, 1, 4, 40, "gelu_new", MaxPositionEmbeddings: 36, PadTokenId: 3, InitializerRange: 0.3f, TieWordEmbeddings: false),
        new XLNetConfig(Words, 24, 1, 4, 40, "relu", "uni", InitializerRange: 0.3f, ClampLen: 4, SummaryType: "mean", SummaryUseProj: false, SummaryActivation: null, TieWordEmbeddings: false),
    ];

    /// <summary>The encoders that the registry knows.</summary>
    public static IEnumerable<Type> Registered => typeof(ModelConfig).GetCustomAttributes(typeof(JsonDerivedTypeAttribute), false)
        .Cast<JsonDerivedTypeAttribute>().Select(a => a.DerivedType).Where(t => t.IsSubclassOf(typeof(EncoderConfig)));

    /// <summary>The encoders that have a small model here.</summary>
    public static IEnumerable<Type> Covered => Tiny.Select(c => c.GetType());

    /// <summary>Every class of every encoder, and the classifiers of decoders.</summary>
    public static IEnumerable<string> Names =>
    [
        .. Tiny.SelectMany(c => c.ArchitectureClasses),
        .. Variants.SelectMany(c => c.ArchitectureClasses).Select(n => $"{n}/2"),
        .. TinyModels.Decoders.Select(TinyModels.Config).Select(Architectures.ClassifierOf).Distinct(),
    ];

    /// <summary>The configuration of a class, with three labels.</summary>
    public static ModelConfig Config(string name)
    {
        string named = name.Split('/')[0];
        ModelConfig? encoder = (named == name ? Tiny : Variants).FirstOrDefault(c => c.ArchitectureClasses.Contains(named));
        return (encoder ?? TinyModels.Decoders.Select(TinyModels.Config).First(c => Architectures.ClassifierOf(c) == named))
            with
        { Architecture = named, Labels = LabelSet.OfCount(3) };
    }

    public static LanguageModel Make(ModelConfig config, Device device) =>
        Architectures.Build(config, new Scope(ParameterSource.Random(11), new Workspace(device)));

    /// <summary>Sequences of different lengths, of two segments each.</summary>
    public static TokenBatch Batch(params int[] lengths)
    {
        int[] starts = [0, .. lengths.Select((_, i) => lengths.Take(i + 1).Sum())];
        // The same sequence, whatever stands beside it.
        int[] ids = [.. lengths.SelectMany(n => Enumerable.Range(0, n).Select(i => CounterRandom.Below((ulong)n, i, Words)))];
        int[] types = [.. lengths.SelectMany(n => Enumerable.Range(0, n).Select(i => i < n / 2 ? 0 : 1))];
        return new TokenBatch(ids, starts, tokenTypes: types);
    }

    /// <summary>Scores of every head, or of a bare body the hidden states; a token's or a sequence's row by row.</summary>
    public static Tensor[] Outputs(LanguageModel model, Pass pass)
    {
        if (model is not TaskModel task)
            return [((LanguageModel)model).Hidden(pass)];
        Tensor hidden = task.Body.Hidden(pass);
        return [.. task.Heads.Select(h => h.Scores(hidden, pass))];
    }

    /// <summary>A loss that everything in the model has a part in.</summary>
    public static Tensor Loss(LanguageModel model, TokenBatch batch, Pass pass)
    {
        if (model is TaskModel { Body: XLNet } xlnet)
            return xlnet.Heads[0].Losses(Hidden(xlnet.Body, batch, pass), Targets(xlnet.Heads[0], batch, pass.Workspace), pass).Mean();
        if (model is TaskModel task)
            return task.Loss(pass, [.. task.Heads.Select(h => Targets(h, batch, pass.Workspace))]);
        Tensor hidden = Hidden((LanguageModel)model, batch, pass);
        Tensor loss = hidden.Multiply(hidden).Sum();
        return model is EncoderModel { Pooler: not null } pooled ? loss.Add(pooled.Pooled(hidden, pass).Sum()) : loss;
    }

    // All tokens are predicted, each from those to its left: what only the query stream has takes part too.
    private static Tensor Hidden(LanguageModel body, TokenBatch batch, Pass pass)
    {
        if (body is not XLNet xlnet)
            return body.Hidden(pass);
        int[] lengths = [.. Enumerable.Range(0, batch.Sequences).Select(s => batch.Starts[s + 1] - batch.Starts[s])];
        return xlnet.Hidden(pass, new ReadingOrder([.. lengths.Select(Later)], [.. lengths.Select(n => Enumerable.Range(0, n).ToArray())]));
    }

    private static bool[,] Later(int length)
    {
        bool[,] hidden = new bool[length, length];
        for (int i = 0; i < length; i++)
        {
            for (int j = i; j < length; j++)
                hidden[i, j] = true;
        }
        return hidden;
    }

    private static Tensor Targets(TaskHead head, TokenBatch batch, Workspace workspace) => head switch
    {
        TokenHead => workspace.From([.. Enumerable.Range(0, batch.Count).Select(i => i % 4 == 3 ? -100 : i % 3)]),
        DetectionHead => workspace.From([.. Enumerable.Range(0, batch.Count).Select(i => i % 3 == 0 ? 1f : 0f)], new Shape(batch.Count)),
        SpanHead => workspace.From([.. Enumerable.Range(0, 2 * batch.Sequences).Select(i => 1 + (i % 2))]),
        _ => workspace.From([.. Enumerable.Range(0, batch.Sequences).Select(s => s % 2)]),
    };
}

// What a model is pre-trained for, as a recipe names it: decoders, encoders and encoder-decoders from one verb.

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Models;
using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Cli.Stages;

/// <summary>What a model is pre-trained for.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(NextTokenRecipe), "next_token")]
[JsonDerivedType(typeof(MaskedLanguageRecipe), "masked_language")]
[JsonDerivedType(typeof(ReplacedTokensRecipe), "replaced_tokens")]
[JsonDerivedType(typeof(DenoisingRecipe), "denoising")]
[JsonDerivedType(typeof(CausalAndMaskedRecipe), "causal_and_masked")]
public abstract record ObjectiveRecipe
{
    /// <summary>Tokens that the objective adds to every sequence.</summary>
    internal virtual int AddedTokens => 0;

    /// <summary>Whether texts can be written along the way.</summary>
    internal virtual bool WritesText => true;

    /// <summary>Refuses a model that cannot learn this.</summary>
    internal abstract void Check(ModelConfig config);

    /// <summary>The tokenizer with the tokens that the objective needs, before a new model is made for it.</summary>
    internal virtual Tokenizer Prepare(Tokenizer tokenizer) => tokenizer;

    /// <summary>The objective.</summary>
    internal abstract Objective Make(LanguageModel model, Tokenizer tokenizer, BatchSource train, BatchSource? validation, int accumulation, ulong seed);

    private protected static void Demand(bool fits, ModelConfig config, string what) =>
        _ = fits ? 0 : throw new InvalidDataException($"model: {config.Architecture} {what}.");

    /// <summary>The tokenizer with [CLS], [SEP] and [MASK] around and in texts, where it has no such tokens.</summary>
    private protected static Tokenizer WithMask(Tokenizer tokenizer)
    {
        if (tokenizer.MaskId is not null)
            return tokenizer;
        Tokenizer added = tokenizer.WithAddedTokens(["[CLS]", "[SEP]", "[MASK]"]);
        SpecialTokens special = added.Parts.SpecialTokens with { Classifier = "[CLS]", Separator = "[SEP]", Mask = "[MASK]" };
        return new Tokenizer(added.Parts with
        {
            SpecialTokens = special,
            PostProcessor = ClassifierProcessing.Bert(("[SEP]", added.TokenToId("[SEP]")!.Value), ("[CLS]", added.TokenToId("[CLS]")!.Value)),
        });
    }

    private protected static MaskedLanguage Masked(BatchSource texts, MaskOptions options, Tokenizer tokenizer, ulong seed) =>
        new(texts, new TokenMask(options, MaskVocabulary.Of(tokenizer), seed), tokenizer.ClassifierId ?? tokenizer.BosId, tokenizer.SeparatorId ?? tokenizer.EosId);
}

/// <summary>Predict the next token: decoders and recurrent networks.</summary>
public sealed record NextTokenRecipe : ObjectiveRecipe
{
    internal override void Check(ModelConfig config) =>
        Demand(Architectures.WritesText(config), config, "does not predict the next token; pretrain a decoder such as gpt2 or llama, or set objective.kind to masked_language");

    internal override Objective Make(LanguageModel model, Tokenizer tokenizer, BatchSource train, BatchSource? validation, int accumulation, ulong seed) =>
        model is EncoderDecoderModel
            ? throw new InvalidDataException($"model: a {model.Config.ArchitectureClass} writes targets for sources, which plain text has not; set objective.kind to denoising, or train it with gradus finetune.")
            : new NextToken(train, validation, accumulation);
}

/// <summary>Predict masked tokens from both sides (BERT, RoBERTa): encoders.</summary>
public sealed record MaskedLanguageRecipe : ObjectiveRecipe
{
    /// <summary>Which tokens are masked.</summary>
    public MaskOptions Mask { get; init; } = new();

    internal override int AddedTokens => 2;

    internal override bool WritesText => false;

    internal override void Check(ModelConfig config) =>
        Demand(config is EncoderConfig && config.Architecture.EndsWith("ForMaskedLM", StringComparison.Ordinal), config, "does not fill in masked tokens; pretrain an encoder such as bert or roberta");

    internal override Tokenizer Prepare(Tokenizer tokenizer) => WithMask(tokenizer);

    internal override Objective Make(LanguageModel model, Tokenizer tokenizer, BatchSource train, BatchSource? validation, int accumulation, ulong seed) =>
        new TaskObjective(Masked(train, Mask, tokenizer, seed), validation is null ? null : Masked(validation, Mask, tokenizer, seed), accumulation);
}

/// <summary>Tell replaced tokens from original ones (ELECTRA): the electra family, with a generator that is trained along.</summary>
public sealed record ReplacedTokensRecipe : ObjectiveRecipe
{
    /// <summary>Which tokens the generator fills in.</summary>
    public MaskOptions Mask { get; init; } = new(MaskShare: 0.85, RandomShare: 0);

    /// <summary>The generator's width over the model's.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double GeneratorWidth { get; init; } = 0.25;

    internal override int AddedTokens => 2;

    internal override bool WritesText => false;

    internal override void Check(ModelConfig config) =>
        Demand(config is ElectraConfig { Architecture: "ElectraForPreTraining" }, config, "does not detect replaced tokens; pretrain an electra model");

    internal override Tokenizer Prepare(Tokenizer tokenizer) => WithMask(tokenizer);

    internal override Objective Make(LanguageModel model, Tokenizer tokenizer, BatchSource train, BatchSource? validation, int accumulation, ulong seed)
    {
        ElectraConfig large = (ElectraConfig)model.Config;
        // As many heads as keep their width, at least one.
        int heads = Math.Max(1, (int)Math.Round(large.NumAttentionHeads * GeneratorWidth)), width = heads * (large.HiddenSize / large.NumAttentionHeads);
        ElectraConfig small = large with
        {
            HiddenSize = width,
            NumAttentionHeads = heads,
            IntermediateSize = Math.Max(1, (int)((long)large.IntermediateSize * width / large.HiddenSize)),
            Architecture = "ElectraForMaskedLM",
        };
        return new ReplacedTokens(model, small, Masked(train, Mask, tokenizer, seed), validation is null ? null : Masked(validation, Mask, tokenizer, seed), seed, accumulation);
    }
}

/// <summary>Write the pieces that were cut out of a text (T5's span corruption, prefixes, UL2's mixture): models with an encoder.</summary>
public sealed record DenoisingRecipe : ObjectiveRecipe
{
    /// <summary>How pieces are cut out; each is taken as often as its weight says.</summary>
    [MinLength(1)]
    public Denoiser[] Denoisers { get; init; } = [new SpanDenoiser()];

    /// <summary>Sentinels that a new model gets, one for each piece of a text.</summary>
    [Range(1, 10_000)]
    public int Sentinels { get; init; } = 100;

    internal override int AddedTokens => 1;

    internal override void Check(ModelConfig config) =>
        Demand(config is T5Config or BartConfig, config, "has no encoder to read what is left of a text; pretrain t5 or bart");

    // The first sentinel has the last id, as in T5.
    internal override Tokenizer Prepare(Tokenizer tokenizer)
    {
        Tokenizer ended = tokenizer.EndOfText is null ? tokenizer.WithAddedTokens(["</s>"]) : tokenizer;
        return ended.TokenToId(Sentinel(0)) is not null ? ended : ended.WithAddedTokens(Enumerable.Range(0, Sentinels).Select(i => Sentinel(Sentinels - 1 - i)));
    }

    internal override Objective Make(LanguageModel model, Tokenizer tokenizer, BatchSource train, BatchSource? validation, int accumulation, ulong seed)
    {
        int first = tokenizer.TokenToId(Sentinel(0))
            ?? throw new InvalidDataException($"tokenizer: it has no sentinels ({Sentinel(0)} …); start from a T5 model's, or train a new model.");
        int count = 1;
        while (tokenizer.TokenToId(Sentinel(count)) == first - count)
            count++;
        int end = tokenizer.EndOfText ?? throw new InvalidDataException("tokenizer: it has no token that ends a text, which denoising needs; add one (eos_token).");
        DenoisingVocabulary vocabulary = new(first, count, ((EncoderDecoderModel)model).StartToken, end);
        return new NextToken(new Denoising(train, Denoisers, vocabulary, seed), validation is null ? null : new Denoising(validation, Denoisers, vocabulary, seed), accumulation);
    }

    private static string Sentinel(int number) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"<extra_id_{number}>");
}

/// <summary>Predict the next token in some micro-batches and masked tokens, seen from both sides, in the others (GPT-BERT): decoders.</summary>
public sealed record CausalAndMaskedRecipe : ObjectiveRecipe
{
    /// <summary>Which tokens are masked.</summary>
    public MaskOptions Mask { get; init; } = new();

    /// <summary>The share of micro-batches with masked tokens.</summary>
    [Range(0.0, 1.0)]
    public double MaskedShare { get; init; } = 0.5;

    internal override void Check(ModelConfig config) => Demand(config is DecoderConfig && Architectures.WritesText(config), config, "is no decoder; pretrain one such as gpt2 or llama");

    internal override Tokenizer Prepare(Tokenizer tokenizer)
    {
        if (tokenizer.MaskId is not null)
            return tokenizer;
        Tokenizer added = tokenizer.WithAddedTokens(["[MASK]"]);
        return new Tokenizer(added.Parts with { SpecialTokens = added.Parts.SpecialTokens with { Mask = "[MASK]" } });
    }

    internal override Objective Make(LanguageModel model, Tokenizer tokenizer, BatchSource train, BatchSource? validation, int accumulation, ulong seed) =>
        new CausalAndMasked(train, new TokenMask(Mask, MaskVocabulary.Of(tokenizer), seed), validation, MaskedShare, accumulation);
}

using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Verbs;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training.Data;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Lets a model in training write a few texts, always from the same prompts and seeds, so that one sees it improve.</summary>
internal sealed class Sampler
{
    private readonly GenerativeModel _model;
    private readonly Tokenizer _tokenizer;
    private readonly SampleOptions _options;
    private readonly (string Shown, int[] Ids)[] _prompts;
    private readonly IReadOnlyList<int> _stops;
    private readonly ulong _seed;

    private Sampler(GenerativeModel model, Tokenizer tokenizer, SampleOptions options, (string, int[])[] prompts, IReadOnlyList<int> stops, long seed)
    {
        _model = model;
        _tokenizer = tokenizer;
        _options = options;
        _prompts = prompts;
        _stops = stops;
        _seed = (ulong)seed;
        foreach ((string shown, int[] ids) in _prompts)
        {
            if (ids.Length == 0 || ids.Length >= model.Config.ContextLength)
                throw new InvalidDataException($"samples.prompts: \"{shown}\" has {ids.Length} tokens; a prompt has at least one and leaves room in the model's context of {model.Config.ContextLength}.");
        }
    }

    /// <summary>Goes on with texts, or, with a model that has an encoder, answers them.</summary>
    public static Sampler OfTexts(GenerativeModel model, Tokenizer tokenizer, SampleOptions options, long seed) => new(
        model,
        tokenizer,
        options,
        [.. options.Prompts.Select(p => (p, model is EncoderDecoderModel ? SourceTargets.TokenizeSource([new ChatMessage("user", p)], tokenizer) : tokenizer.Encode(p, addSpecialTokens: false)))],
        tokenizer.EosId is { } end ? [end] : [],
        seed);

    /// <summary>Answers a user.</summary>
    public static Sampler OfAnswers(LoadedModel loaded, ChatTemplate template, SampleOptions options, IReadOnlyList<int> stops, long seed) => new(
        loaded.Model,
        loaded.Tokenizer,
        options,
        [.. options.Prompts.Select(p => (p, Conversations.TokenizePrompt(new ChatConversation([new ChatMessage("user", p)]), loaded.Tokenizer, template)))],
        stops,
        seed);

    /// <summary>Writes the texts into the run's folder.</summary>
    public void Write(RunFolder run, long step)
    {
        using Generator generator = new(_model);
        SamplingOptions sampling = new(Temperature: _options.Temperature > 0 ? _options.Temperature : 1, TopK: _options.TopK);
        IReadOnlyList<GeneratedSequence> written = generator.Run([.. _prompts.Select((p, i) => GenerationRequest.For(_model, p.Ids) with
        {
            MaxNewTokens = _options.MaxTokens,
            StopTokens = _stops,
            Seed = _options.Temperature > 0 ? CounterRandom.Derive(_seed, (ulong)i) : null,
            Steps = sampling.Steps(_stops),
        })]);
        JsonArray samples = [];
        for (int i = 0; i < _prompts.Length; i++)
            samples.Add((JsonNode)new JsonObject { ["prompt"] = _prompts[i].Shown, ["completion"] = _tokenizer.Decode(written[i].Generated) });
        run.WriteResult(
            string.Create(CultureInfo.InvariantCulture, $"samples/step-{step:D7}.json"),
            new JsonObject { ["step"] = step, ["title"] = string.Create(CultureInfo.InvariantCulture, $"After {step:N0} steps"), ["samples"] = samples });
    }
}

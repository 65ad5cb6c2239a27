using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Tensors;
using Gradus.Text.Chat;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Texts that the model writes at every evaluation, so that one sees it improve.</summary>
/// <param name="MaxTokens">Tokens per text.</param>
/// <param name="Temperature">0 for the likeliest token each time.</param>
/// <param name="TopK">Tokens to choose from; 0 for all.</param>
public sealed record SampleOptions(
    [Range(1, int.MaxValue)] int MaxTokens = 120,
    [Range(0.0, 100.0)] float Temperature = 0.8f,
    [Range(0, int.MaxValue)] int TopK = 50)
{
    /// <summary>What the texts begin with (pre-training), or what the user says (fine-tuning).</summary>
    public string[] Prompts { get; init; } = [];
}

/// <summary>Lets a model in training write a few texts, always from the same prompts and seeds, so that one sees it improve.</summary>
internal sealed class Sampler
{
    private readonly ModelBundle _bundle;
    private readonly SampleOptions _options;
    private readonly (string Shown, GenerationRequest Request)[] _prompts;
    private readonly ulong _seed;

    private Sampler(ModelBundle bundle, SampleOptions options, Func<string, GenerationRequest> request, long seed)
    {
        _bundle = bundle;
        _options = options;
        _prompts = [.. options.Prompts.Select(p => (p, request(p)))];
        _seed = (ulong)seed;
        foreach ((string shown, GenerationRequest asked) in _prompts)
        {
            if (!bundle.Fits(asked, 1))
                throw new InvalidDataException($"samples.prompts: \"{shown}\" has {asked.TokensRead} tokens; a prompt leaves room in the model's context of {bundle.ContextLength}.");
        }
    }

    /// <summary>Goes on with texts, or, with a model that has an encoder, answers them.</summary>
    public static Sampler OfTexts(ModelBundle bundle, SampleOptions options, long seed) =>
        new(bundle, options, p => bundle.Continue(p, addSpecialTokens: false), seed);

    /// <summary>Answers a user.</summary>
    public static Sampler OfAnswers(ModelBundle bundle, SampleOptions options, long seed) =>
        new(bundle, options, p => bundle.Answer(new ChatConversation([new ChatMessage("user", p)])), seed);

    /// <summary>Writes the texts into the run's folder.</summary>
    public void Write(RunFolder run, long step)
    {
        using Generator generator = new(_bundle.Generative);
        SamplingOptions sampling = new(Temperature: _options.Temperature > 0 ? _options.Temperature : 1, TopK: _options.TopK);
        IReadOnlyList<GeneratedSequence> written = generator.Run([.. _prompts.Select((p, i) => p.Request with
        {
            MaxNewTokens = _options.MaxTokens,
            Seed = _options.Temperature > 0 ? CounterRandom.Derive(_seed, (ulong)i) : null,
            Steps = sampling.Steps(p.Request.StopTokens),
        })]);
        JsonArray samples = [];
        for (int i = 0; i < _prompts.Length; i++)
            samples.Add((JsonNode)new JsonObject { ["prompt"] = _prompts[i].Shown, ["completion"] = _bundle.Tokenizer.Decode(written[i].Generated) });
        run.WriteResult(
            string.Create(CultureInfo.InvariantCulture, $"samples/step-{step:D7}.json"),
            new JsonObject { ["step"] = step, ["title"] = string.Create(CultureInfo.InvariantCulture, $"After {step:N0} steps"), ["samples"] = samples });
    }
}

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Text.Chat;

namespace Gradus.Cli.Stages;

/// <summary>What the finished model is asked, so that whoever ran the stages has prompts to try and the answers to expect.</summary>
public sealed record TalkRecipe
{
    /// <summary>The model, with a chat template: a folder, or a stage's run.</summary>
    [MinLength(1)]
    public string Model { get; init; } = "";

    /// <summary>What a user says, each in a conversation of its own.</summary>
    [MinLength(1)]
    public string[] Prompts { get; init; } = [];

    /// <summary>The most tokens of an answer.</summary>
    [Range(1, 4096)]
    public int MaxTokens { get; init; } = 100;

    /// <summary>The command with which a person gets the same answers.</summary>
    internal string CommandLine(string model) => $"gradus chat {model} --greedy";

    /// <summary>Lets the model answer, with the likeliest token each time.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="model">Where the model lies.</param>
    internal JsonArray Ask(StageContext context, string model)
    {
        using ModelBundle bundle = context.OpenModel(model, ModelBundleOptions.ToRun with { WritesText = true });
        using Generator generator = new(bundle.Generative);
        IReadOnlyList<GeneratedSequence> written = generator.Run([.. Prompts.Select(p =>
        {
            GenerationRequest request = bundle.Answer(new ChatConversation([new ChatMessage("user", p)]));
            return request with { MaxNewTokens = MaxTokens, Steps = new SamplingOptions().Steps(request.StopTokens) };
        })]);
        return [.. Prompts.Select((p, i) => (JsonNode)new JsonObject { ["prompt"] = p, ["answer"] = Answer(bundle, written[i]) })];
    }

    private static string Answer(ModelBundle bundle, GeneratedSequence sequence)
    {
        int[] ids = sequence.Generated.ToArray();
        return bundle.Tokenizer.Decode(ids.Length > 0 && bundle.AnswerEndIds.Contains(ids[^1]) ? ids[..^1] : ids).Trim();
    }
}

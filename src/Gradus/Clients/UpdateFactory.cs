using Gradus.Generation;
using Microsoft.Extensions.AI;

namespace Gradus.Clients;

/// <summary>Makes the updates of one answer, which have their ids, time and model in common.</summary>
/// <param name="model">The model's name.</param>
/// <param name="chat">The request.</param>
internal sealed class UpdateFactory(string model, PreparedChat chat)
{
    private readonly string _id = $"chatcmpl-{Guid.NewGuid():N}";
    private readonly DateTimeOffset _created = DateTimeOffset.UtcNow;

    /// <summary>An update of contents and a token's log-probability; null where there is neither.</summary>
    public ChatResponseUpdate? Make(List<AIContent> contents, TokenLogProbability? score)
    {
        if (chat.HidesReasoning)
            contents.RemoveAll(c => c is TextReasoningContent);
        if (contents.Count == 0 && score is null)
            return null;
        ChatResponseUpdate update = New(contents);
        if (score is not null)
            update.AdditionalProperties = new() { [ChatProperties.LogProbabilities] = (TokenLogProbability[])[score] };
        return update;
    }

    /// <summary>The last update: why the answer ended, and what it took.</summary>
    /// <param name="result">The engine's result.</param>
    /// <param name="tokens">The tokens of the answer that were taken.</param>
    public ChatResponseUpdate Final(GenerationResult result, int tokens)
    {
        int read = chat.Request.TokensRead;
        ChatResponseUpdate update = New(
        [
            new UsageContent(new UsageDetails
            {
                InputTokenCount = read,
                OutputTokenCount = tokens,
                TotalTokenCount = (long)read + tokens,
                CachedInputTokenCount = result.CachedTokens,
                ReasoningTokenCount = chat.Reader.ReasoningTokens,
            }),
        ]);
        update.FinishReason = chat.Reader.Calls > 0 ? ChatFinishReason.ToolCalls
            : !chat.Reader.Stopped && result.Finish is FinishReason.Length or FinishReason.ContextFull ? ChatFinishReason.Length
            : ChatFinishReason.Stop;
        if (chat.Request.Seed is { } seed)
            (update.AdditionalProperties ??= [])[ChatProperties.Seed] = seed;
        if (chat.Forgotten > 0)
            (update.AdditionalProperties ??= [])[ChatProperties.ForgottenMessages] = chat.Forgotten;
        return update;
    }

    private ChatResponseUpdate New(IList<AIContent> contents) => new(ChatRole.Assistant, contents)
    {
        ResponseId = _id,
        MessageId = _id,
        ModelId = model,
        CreatedAt = _created,
    };
}

// A model of this process behind the interface that .NET's applications speak. Sources: Microsoft.Extensions.AI.Abstractions 10 (IChatClient and its contract).
// Left out: images, audio and files in messages, conversations that the client keeps, answers in the background.

using System.Runtime.CompilerServices;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Text.Chat;
using Microsoft.Extensions.AI;

namespace Gradus.Clients;

/// <summary>
/// A local model as an <see cref="IChatClient"/>: streaming, tools, JSON Schema, stop texts, seeds, usage, log-probabilities. Any number of threads
/// may ask at once; their requests go on together, share the prefixes of their prompts, and have the tokens that each has alone.
/// </summary>
/// <remarks>
/// Tools are called in the format of the model's chat template; a model whose template has no tools is told of them in the system message. What ChatOptions
/// cannot say goes into AdditionalProperties (<see cref="ChatProperties"/>). ModelId is passed over: a client has one model. With tools and a
/// response format the answer is a call or has the format.
/// </remarks>
public sealed class LocalChatClient : IChatClient
{
    private readonly ChatModel _model;
    private readonly ChatRequests _requests;
    private readonly ChatClientMetadata _metadata;
    private readonly bool _ownsEngine;

    /// <summary>A client with an engine of its own, which ends with it.</summary>
    /// <param name="bundle">The model; it must outlive the client, and write text.</param>
    /// <param name="options">What is done where a request does not say it; the defaults where null.</param>
    /// <param name="engineOptions">How the machine is shared among requests; the defaults where null.</param>
    /// <exception cref="InvalidDataException">The model does not write text, or is a decoder without a chat template.</exception>
    public LocalChatClient(ModelBundle bundle, LocalChatOptions? options = null, EngineOptions? engineOptions = null)
        : this(Checked(bundle), new GenerationEngine(bundle.Generative, engineOptions), options) =>
        _ownsEngine = true;

    /// <summary>A client of an engine that others use as well.</summary>
    /// <param name="bundle">The model; it must outlive the client.</param>
    /// <param name="engine">An engine that runs this model; it must outlive the client.</param>
    /// <param name="options">What is done where a request does not say it; the defaults where null.</param>
    /// <exception cref="InvalidDataException">The model does not write text, or is a decoder without a chat template.</exception>
    public LocalChatClient(ModelBundle bundle, GenerationEngine engine, LocalChatOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        _model = new ChatModel(Checked(bundle), engine, options ?? new LocalChatOptions());
        _requests = new ChatRequests(_model);
        _metadata = new ChatClientMetadata("gradus", null, _model.Name);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Something in the request is wrong or not done by a local model; of a prompt that is too long, <see cref="ContextOverflowException"/>.</exception>
    /// <exception cref="StructureException">The response format or a strict tool's schema cannot be enforced; the message names the keyword.</exception>
    /// <exception cref="ChatTemplateException">The chat template refuses the conversation.</exception>
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        List<ChatResponseUpdate> updates = [];
        List<TokenLogProbability> scores = [];
        object? seed = null, forgotten = null;
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken).ConfigureAwait(false))
        {
            if (update.AdditionalProperties?.Remove(ChatProperties.LogProbabilities, out object? some) == true)
                scores.AddRange((IReadOnlyList<TokenLogProbability>)some!);
            // What is of the response as a whole would become one of its message.
            update.AdditionalProperties?.Remove(ChatProperties.Seed, out seed);
            update.AdditionalProperties?.Remove(ChatProperties.ForgottenMessages, out forgotten);
            updates.Add(update);
        }
        ChatResponse response = updates.ToChatResponse();
        if (seed is not null)
            response.AdditionalProperties = new() { [ChatProperties.Seed] = seed };
        if (forgotten is not null)
            (response.AdditionalProperties ??= [])[ChatProperties.ForgottenMessages] = forgotten;
        if (options?.AdditionalProperties is { } asked && new PropertyReader(asked, ChatProperties.Known).Flag(ChatProperties.LogProbabilities))
            (response.AdditionalProperties ??= [])[ChatProperties.LogProbabilities] = scores;
        return response;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">As for <see cref="GetResponseAsync"/>; thrown when the first update is asked for.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        cancellationToken.ThrowIfCancellationRequested();
        PreparedChat chat = _requests.Prepare(messages, options ?? new ChatOptions());
        GenerationStream stream = _model.Engine.Submit(chat.Request, chat.Class, cancellationToken);
        UpdateFactory updates = new(_model.Name, chat);
        int tokens = 0;
        await foreach (GeneratedToken token in stream.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            tokens++;
            List<AIContent> contents = chat.Reader.Append(token.Id);
            bool ends = chat.Request.StopTokens.Contains(token.Id);
            if (updates.Make(contents, chat.Alternatives is null || ends ? null : Describe(token)) is { } update)
                yield return update;
            if (chat.Reader.Stopped)
                break;
        }
        GenerationResult result = await stream.Completion.ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (result.Finish == FinishReason.Cancelled && !chat.Reader.Stopped)
            throw new InvalidOperationException("The engine was disposed while it wrote the answer.");
        if (updates.Make(chat.Reader.Finish(), null) is { } last)
            yield return last;
        yield return updates.Final(result, tokens);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType == typeof(ModelBundle) ? _model.Bundle
            : serviceType == typeof(GenerationEngine) ? _model.Engine
            : null;
    }

    /// <summary>Ends the engine if it is the client's own; its requests end.</summary>
    public void Dispose()
    {
        if (_ownsEngine)
            _model.Engine.Dispose();
    }

    // A model that cannot chat is refused before the first question.
    private static ModelBundle Checked(ModelBundle bundle)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        _ = bundle.Generative;
        if (!bundle.ReadsSource)
            _ = bundle.Chat;
        return bundle;
    }

    private TokenLogProbability Describe(in GeneratedToken token) =>
        Describe(token.Id, token.LogProbability, [.. token.Alternatives.Select(a => Describe(a.Id, a.LogProbability, []))]);

    private TokenLogProbability Describe(int id, float logProbability, IReadOnlyList<TokenLogProbability> alternatives)
    {
        bool special = _model.Bundle.Tokenizer.IsSpecial(id);
        byte[]? bytes = special || id >= _model.Tokens.Count ? null : _model.Tokens[id].ToArray();
        string text = bytes is null ? _model.Bundle.Tokenizer.IdToToken(id) ?? "" : System.Text.Encoding.UTF8.GetString(bytes);
        return new TokenLogProbability(id, text, bytes, logProbability, alternatives);
    }
}

using Microsoft.Extensions.AI;

namespace Gradus.Applications.Tests.Agents;

/// <summary>A model whose answers are written down; it keeps what it was asked.</summary>
public sealed class ScriptedModel(params IReadOnlyList<Func<IReadOnlyList<ChatMessage>, ChatOptions?, ChatMessage>> answers) : IChatClient
{
    private int _next;

    public ScriptedModel(params string[] answers)
        : this([.. answers.Select(text => new Func<IReadOnlyList<ChatMessage>, ChatOptions?, ChatMessage>((_, _) => new ChatMessage(ChatRole.Assistant, text)))])
    {
    }

    public List<(IReadOnlyList<ChatMessage> Messages, ChatOptions? Options)> Asked { get; } = [];

    public int TokensPerCall { get; init; } = 10;

    public static ChatMessage Call(string name, params (string Name, object? Value)[] arguments) => new(
        ChatRole.Assistant, [new FunctionCallContent(Guid.NewGuid().ToString("N"), name, arguments.ToDictionary(a => a.Name, a => a.Value))]);

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ChatMessage[] asked = [.. messages];
        Asked.Add((asked, options));
        if (_next >= answers.Count)
            throw new InvalidOperationException("the script is at its end");
        return Task.FromResult(new ChatResponse(answers[_next++](asked, options)) { Usage = new UsageDetails { TotalTokenCount = TokensPerCall } });
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ChatResponse response = await GetResponseAsync(messages, options, cancellationToken);
        foreach (ChatResponseUpdate update in response.ToChatResponseUpdates())
            yield return update;
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }
}

using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Generation.Structure;

namespace Gradus.Clients;

/// <summary>A request that is ready to run, and what reads its answer.</summary>
/// <param name="Request">What is generated.</param>
/// <param name="Class">Who asks.</param>
/// <param name="Reader">Reads the answer.</param>
/// <param name="Alternatives">Alternatives wanted beside each token's log-probability; null for no log-probabilities.</param>
/// <param name="HidesReasoning">Whether reasoning is left out of the response.</param>
/// <param name="Forgotten">The oldest messages that there was no room for.</param>
internal sealed record PreparedChat(GenerationRequest Request, RequestClass Class, AnswerReader Reader, int? Alternatives, bool HidesReasoning, int Forgotten);

/// <summary>What all requests of one model have in common.</summary>
internal sealed class ChatModel
{
    private readonly Lazy<TokenBytes> _plain;
    private readonly Lazy<bool> _reasons;

    public ChatModel(ModelBundle bundle, GenerationEngine engine, LocalChatOptions options)
    {
        Bundle = bundle;
        Engine = engine;
        Options = options;
        Name = options.ModelId ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(bundle.Location.Adapter ?? bundle.Location.Folder));
        _plain = new(() => new TokenBytes(bundle.Tokenizer.TokenTexts()));
        _reasons = new(() => bundle.Template?.Source is { } source && source.Contains(ReasoningSplitter.End, StringComparison.Ordinal));
    }

    public ModelBundle Bundle { get; }

    public GenerationEngine Engine { get; }

    public LocalChatOptions Options { get; }

    public string Name { get; }

    /// <summary>What each token writes.</summary>
    public TokenBytes Tokens => _plain.Value;

    /// <summary>Whether the model's template knows reasoning between marks.</summary>
    public bool Reasons => _reasons.Value;

    public GrammarCache Grammars { get; } = new();
}

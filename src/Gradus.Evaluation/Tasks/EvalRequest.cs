using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tasks;

/// <summary>What a task asks of a model, in text: models of every kind can answer it.</summary>
public abstract record EvalRequest;

/// <summary>How probable a text is after another: Σ ln p over its tokens, and whether each of them was the likeliest.</summary>
/// <param name="Context">The text before; empty for the beginning of a text.</param>
/// <param name="Continuation">The text that is scored.</param>
public sealed record LogLikelihoodRequest(string Context, string Continuation) : EvalRequest;

/// <summary>How probable a whole text is from its first token on, in windows of the model's context that do not overlap.</summary>
/// <param name="Text">The text.</param>
public sealed record RollingRequest(string Text) : EvalRequest;

/// <summary>What the model writes after a prompt.</summary>
/// <param name="Context">The prompt, or the conversation as text where there are <paramref name="Messages"/>.</param>
/// <param name="Settings">When to stop and how to draw.</param>
/// <param name="Repeats">Texts to write, 1 or more.</param>
/// <param name="Messages">The conversation, where the model's own chat template makes the prompt; null where <paramref name="Context"/> is the prompt itself.</param>
public sealed record GenerateRequest(string Context, GenerationSettings Settings, int Repeats = 1, IReadOnlyList<ChatMessage>? Messages = null) : EvalRequest;

/// <summary>A model's answer to an <see cref="EvalRequest"/>.</summary>
public abstract record EvalResponse;

/// <summary>The answer to a <see cref="LogLikelihoodRequest"/> or a <see cref="RollingRequest"/>.</summary>
/// <param name="LogLikelihood">Σ ln p, in nats.</param>
/// <param name="IsGreedy">Whether every token was the likeliest one; false for rolling requests.</param>
public sealed record LikelihoodResponse(double LogLikelihood, bool IsGreedy) : EvalResponse;

/// <summary>The answer to a <see cref="GenerateRequest"/>.</summary>
/// <param name="Texts">The texts, as many as were asked for.</param>
public sealed record TextResponse(IReadOnlyList<string> Texts) : EvalResponse;

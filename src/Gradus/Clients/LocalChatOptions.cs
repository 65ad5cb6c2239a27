using Gradus.Generation;

namespace Gradus.Clients;

/// <summary>What a <see cref="LocalChatClient"/> does where a request does not say it.</summary>
/// <param name="ModelId">The name of the model in responses; the name of its folder or file where null.</param>
/// <param name="Sampling">How tokens are drawn; a request changes what it names. Null for the plain distribution of the model.</param>
/// <param name="MaxOutputTokens">Tokens of an answer at most, ≥ 1; as many as there is room for where null.</param>
/// <param name="ToolFormat">The format of tool calls by name, where the chat template does not say it; null for that of the template, else Hermes'.</param>
/// <param name="Overflow">What becomes of a conversation that is too long; how many messages were left out is said in the response (<see cref="ChatProperties.ForgottenMessages"/>).</param>
public sealed record LocalChatOptions(
    string? ModelId = null, SamplingOptions? Sampling = null, int? MaxOutputTokens = null, string? ToolFormat = null,
    OverflowPolicy Overflow = OverflowPolicy.Error);

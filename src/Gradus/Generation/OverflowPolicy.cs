namespace Gradus.Generation;

/// <summary>What becomes of a prompt for which the model's context has no room. Nothing is ever cut without having been asked for.</summary>
public enum OverflowPolicy
{
    /// <summary>It is refused with both lengths (<see cref="ContextOverflowException"/>).</summary>
    Error,

    /// <summary>
    /// Its oldest tokens are left out (<see cref="GenerationRequest.TruncateLeft"/>); of a conversation the oldest exchanges, whole
    /// (<see cref="Gradus.Bundle.ConversationWindow"/>).
    /// </summary>
    TruncateLeft,
}

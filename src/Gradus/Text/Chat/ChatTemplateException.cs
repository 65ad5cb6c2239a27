namespace Gradus.Text.Chat;

#pragma warning disable RCS1194 // The usual constructors would make errors without a place in the template.

/// <summary>A chat template that cannot be parsed or run: the message says what is missing and the place in the template.</summary>
public class ChatTemplateException : FormatException
{
    /// <summary>Makes an error at a place of the template.</summary>
    /// <param name="reason">What is wrong or missing, without the place.</param>
    /// <param name="line">The line, from 1.</param>
    /// <param name="column">The column in UTF-16 characters, from 1.</param>
    public ChatTemplateException(string reason, int line, int column)
        : base($"Chat template, line {line}, column {column}: {reason}")
    {
        Reason = reason;
        Line = line;
        Column = column;
    }

    /// <summary>What is wrong or missing, without the place.</summary>
    public string Reason { get; }

    /// <summary>The line of the template, from 1; line breaks of all kinds count as one.</summary>
    public int Line { get; }

    /// <summary>The column of the template in UTF-16 characters, from 1.</summary>
    public int Column { get; }
}

/// <summary>The template itself refused the conversation by calling <c>raise_exception</c>.</summary>
public sealed class ChatTemplateRaisedException : ChatTemplateException
{
    /// <summary>Makes the exception for a message given by the template.</summary>
    /// <param name="templateMessage">The argument of <c>raise_exception</c>.</param>
    /// <param name="line">The line of the call, from 1.</param>
    /// <param name="column">The column of the call, from 1.</param>
    public ChatTemplateRaisedException(string templateMessage, int line, int column)
        : base($"the template refuses this conversation: {templateMessage}", line, column) => TemplateMessage = templateMessage;

    /// <summary>The message exactly as the template gave it.</summary>
    public string TemplateMessage { get; }
}

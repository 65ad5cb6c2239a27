using System.Globalization;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// strftime of the C locale, with glibc's flags (- _ 0 ^). The time has no zone, as Python's datetime.now(): %z and %Z are empty.
/// </summary>
internal static class Strftime
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    public static Value Function(RenderContext context, Value self, Arguments arguments)
    {
        Value format = arguments.Bind(context, "strftime_now", 1, "format")[0]!;
        if (format is not TextValue text)
            throw context.Error($"strftime_now needs a format string, not {format.TypeName}");
        string formatted = Format(context.Clock.GetLocalNow().DateTime, text.Text);
        context.ChargeCharacters(formatted.Length);
        return Value.Of(formatted);
    }

    public static string Format(DateTime time, string format)
    {
        StringBuilder target = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                target.Append(format[i]);
                continue;
            }
            int start = i++;
            char flag = '\0';
            while (i < format.Length && format[i] is '-' or '_' or '0' or '^' or '#')
                flag = format[i++];
            string? field = i < format.Length ? Field(time, format[i], flag) : null;
            // What glibc does not know stays as it is written.
            target.Append(field is null ? format.AsSpan(start, Math.Min(i + 1, format.Length) - start) : flag is '^' or '#' ? field.ToUpperInvariant() : field);
        }
        return target.ToString();
    }

    private static string? Field(DateTime time, char letter, char flag)
    {
        int hour12 = time.Hour % 12 == 0 ? 12 : time.Hour % 12;
        int weekday = (int)time.DayOfWeek;
        return letter switch
        {
            'a' => time.ToString("ddd", Invariant),
            'A' => time.ToString("dddd", Invariant),
            'b' or 'h' => time.ToString("MMM", Invariant),
            'B' => time.ToString("MMMM", Invariant),
            'c' => Format(time, "%a %b %e %H:%M:%S %Y"),
            'C' => Number(time.Year / 100, 2, '0', flag),
            'd' => Number(time.Day, 2, '0', flag),
            'D' or 'x' => Format(time, "%m/%d/%y"),
            'e' => Number(time.Day, 2, ' ', flag),
            'f' => Number((int)(time.Ticks % TimeSpan.TicksPerSecond / 10), 6, '0', '\0'),
            'F' => Format(time, "%Y-%m-%d"),
            'g' => Number(ISOWeek.GetYear(time) % 100, 2, '0', flag),
            'G' => Number(ISOWeek.GetYear(time), 4, '0', flag),
            'H' => Number(time.Hour, 2, '0', flag),
            'I' => Number(hour12, 2, '0', flag),
            'j' => Number(time.DayOfYear, 3, '0', flag),
            'k' => Number(time.Hour, 2, ' ', flag),
            'l' => Number(hour12, 2, ' ', flag),
            'm' => Number(time.Month, 2, '0', flag),
            'M' => Number(time.Minute, 2, '0', flag),
            'n' => "\n",
            'p' => time.Hour < 12 ? "AM" : "PM",
            'P' => time.Hour < 12 ? "am" : "pm",
            'r' => Format(time, "%I:%M:%S %p"),
            'R' => Format(time, "%H:%M"),
            'S' => Number(time.Second, 2, '0', flag),
            't' => "\t",
            'T' or 'X' => Format(time, "%H:%M:%S"),
            'u' => Number(weekday == 0 ? 7 : weekday, 1, '0', flag),
            'U' => Number((time.DayOfYear + 6 - weekday) / 7, 2, '0', flag),
            'V' => Number(ISOWeek.GetWeekOfYear(time), 2, '0', flag),
            'w' => Number(weekday, 1, '0', flag),
            'W' => Number((time.DayOfYear + 6 - ((weekday + 6) % 7)) / 7, 2, '0', flag),
            'y' => Number(time.Year % 100, 2, '0', flag),
            'Y' => Number(time.Year, 4, '0', flag),
            'z' or 'Z' => "",
            '%' => "%",
            _ => null,
        };
    }

    private static string Number(int number, int width, char pad, char flag)
    {
        pad = flag switch { '_' => ' ', '0' => '0', _ => pad };
        return flag == '-' ? number.ToString(Invariant) : number.ToString(Invariant).PadLeft(width, pad);
    }
}
